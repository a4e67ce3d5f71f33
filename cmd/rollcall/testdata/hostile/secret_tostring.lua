--- Turns the password into a text.
-- ends: failed
-- says: closed: ••• ••• userdata
-- strikes: language
return {
  api = 1, name = "secret_tostring", version = "1.0.0", summary = "hostile", domains = { "secret-tostring.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.rejected("closed", tostring(task.password) .. " " .. string.format("%s", tostring(task.password)) .. " " .. type(task.password))
  end,
}
