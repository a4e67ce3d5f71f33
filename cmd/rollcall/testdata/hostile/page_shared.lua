--- A page that reaches for other hosts by shared.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_shared", version = "1.0.0", summary = "hostile", domains = { "page-shared.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/shared", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
