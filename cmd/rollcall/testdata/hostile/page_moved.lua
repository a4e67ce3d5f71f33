--- A page that reaches for other hosts by moved.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_moved", version = "1.0.0", summary = "hostile", domains = { "page-moved.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/moved", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
