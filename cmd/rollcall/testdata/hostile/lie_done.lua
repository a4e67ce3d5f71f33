--- Says done and does nothing.
-- ends: unknown
-- says: never committed
-- strikes: evidence
return {
  api = 1, name = "lie_done", version = "1.0.0", summary = "hostile", domains = { "lie-done.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return outcome.done { facts = { account = "made" } }
  end,
}
