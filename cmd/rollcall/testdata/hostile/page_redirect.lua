--- A page that reaches for other hosts by redirect.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_redirect", version = "1.0.0", summary = "hostile", domains = { "page-redirect.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/redirect", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
