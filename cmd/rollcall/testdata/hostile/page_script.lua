--- A page that reaches for other hosts by script.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_script", version = "1.0.0", summary = "hostile", domains = { "page-script.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/script", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
