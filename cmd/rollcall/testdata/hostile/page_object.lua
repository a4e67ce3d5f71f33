--- A page that reaches for other hosts by object.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_object", version = "1.0.0", summary = "hostile", domains = { "page-object.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/object", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
