--- Uses the password as a key and prints the keys.
-- ends: failed
-- says: closed: •••
-- strikes: language
return {
  api = 1, name = "secret_key", version = "1.0.0", summary = "hostile", domains = { "secret-key.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = { [task.password] = task.password }
    local s = ""
    for k, v in pairs(t) do
      print(k, v)
      log("keys", t)
      s = s .. tostring(k)
    end
    return outcome.rejected("closed", s)
  end,
}
