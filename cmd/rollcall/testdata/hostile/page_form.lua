--- A page that reaches for other hosts by form.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_form", version = "1.0.0", summary = "hostile", domains = { "page-form.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/form", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
