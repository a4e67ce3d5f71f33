--- A megabyte is looked for in a megabyte.
-- ends: failed
-- says: took longer | went on
-- strikes: time
return {
  api = 1, name = "text_has", version = "1.0.0", summary = "hostile", domains = { "text-has.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = ("Đ"):rep(500000)
    local list = {}
    for i = 1, 400 do list[i] = ("đ"):rep(200000) .. i end
    return outcome.rejected("closed", "went on " .. tostring(text.has(s, list)))
  end,
}
