--- Names a profile on another site.
-- ends: profile_failed
-- says: not among the site's hosts
-- strikes: evidence
-- posts: 1
return {
  api = 1, name = "lie_link", version = "1.0.0", summary = "hostile", domains = { "lie-link.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=lie_link", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
  login = function() return outcome.done() end,
  profile = function() return outcome.done { link_profile = "http://169.254.169.254/u/me" } end,
}
