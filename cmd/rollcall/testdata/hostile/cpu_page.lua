--- Asks the page the same thing for ever.
-- ends: failed
-- says: the phase took longer than its limit
-- strikes: time
return {
  api = 1, name = "cpu_page", version = "1.0.0", summary = "hostile", domains = { "cpu-page.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=cpu_page", { form = "#form" })
    while true do page:exists("#form") end
  end,
}
