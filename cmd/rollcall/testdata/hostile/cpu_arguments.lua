--- Loops while it reads the arguments of a verb.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_arguments", version = "1.0.0", summary = "hostile", domains = { "cpu-arguments.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    while true do text.has("a b c", { "x", "y", "z" }) end
  end,
}
