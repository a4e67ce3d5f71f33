--- A page that reaches for other hosts by xhr.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_xhr", version = "1.0.0", summary = "hostile", domains = { "page-xhr.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/xhr", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
