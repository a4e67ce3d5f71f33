--- Matches the password letter by letter.
-- ends: failed
-- says: a secret can't be part of a text
-- strikes: language
return {
  api = 1, name = "secret_match", version = "1.0.0", summary = "hostile", domains = { "secret-match.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    for c in ("abc"):gmatch(".") do if string.find(task.password, c, 1, true) then print(c) end end
    return outcome.rejected("closed", "went on")
  end,
}
