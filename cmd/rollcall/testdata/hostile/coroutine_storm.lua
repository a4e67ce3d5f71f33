--- Starts coroutines without end.
-- ends: failed
-- says: coroutine does not exist here
-- strikes: language
return {
  api = 1, name = "coroutine_storm", version = "1.0.0", summary = "hostile", domains = { "coroutine-storm.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    for i = 1, 1e9 do coroutine.wrap(function() coroutine.yield(i) end)() end
    return outcome.rejected("closed", "went on")
  end,
}
