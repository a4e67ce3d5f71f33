--- Names a profile that redirects inside: the runner itself reads it.
-- ends: profile_failed
-- says: not among the site's hosts
-- strikes: egress
-- posts: 1
return {
  api = 1, name = "reach_profile", version = "1.0.0", summary = "hostile", domains = { "reach-profile.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=reach_profile", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
  login = function() return outcome.done() end,
  profile = function(page) return outcome.done { link_profile = page:url("/redirect?to=http://169.254.169.254/latest/") } end,
}
