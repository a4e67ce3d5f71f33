--- A page that reaches for a declared host whose address changes at every look.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_rebind", version = "1.0.0", summary = "hostile", domains = { "page-rebind.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "rebind.lure.test" },
  register = function(page, task)
    page:open("/lure/rebind", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
