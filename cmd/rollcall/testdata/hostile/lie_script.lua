--- Names a profile that is a script.
-- ends: profile_failed
-- says: link_profile must be
-- strikes: language
-- posts: 1
return {
  api = 1, name = "lie_script", version = "1.0.0", summary = "hostile", domains = { "lie-script.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=lie_script", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
  login = function() return outcome.done() end,
  profile = function() return outcome.done { link_profile = "javascript:alert(1)" } end,
}
