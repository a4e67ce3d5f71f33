--- A page that reaches for other hosts by worker.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_worker", version = "1.0.0", summary = "hostile", domains = { "page-worker.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/worker", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
