--- A page of a declared host that reaches for other hosts.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_twin", version = "1.0.0", summary = "hostile", domains = { "page-twin.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "twin.lure.test" },
  register = function(page, task)
    page:open("http://twin.lure.test/lure/fetch", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
