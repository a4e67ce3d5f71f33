--- Types the password on another site that it declares.
-- ends: failed
-- says: its page is not the site's own
-- strikes: page
return {
  api = 1, name = "secret_twin", version = "1.0.0", summary = "hostile", domains = { "secret-twin.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "twin.lure.test" },
  register = function(page, task)
    page:open("http://twin.lure.test/signup", { form = "#form" })
    page:fill("#password", task.password)
    return outcome.rejected("closed", "went on")
  end,
}
