--- Names a profile that is not there.
-- ends: profile_failed
-- says: answers 404
-- strikes: evidence
-- posts: 1
return {
  api = 1, name = "lie_page", version = "1.0.0", summary = "hostile", domains = { "lie-page.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=lie_page", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
  login = function() return outcome.done() end,
  profile = function(page) return outcome.done { link_profile = page:url("/nobody") } end,
}
