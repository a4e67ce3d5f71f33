--- A page that reaches for other hosts by popup.
-- ends: failed
-- says: a tab was opened | tried
-- strikes: egress
return {
  api = 1, name = "page_popup", version = "1.0.0", summary = "hostile", domains = { "page-popup.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/popup", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
