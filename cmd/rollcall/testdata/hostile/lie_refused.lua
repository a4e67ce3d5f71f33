--- Says that the site refused what it took.
-- ends: failed
-- says: closed
-- strikes: evidence
-- posts: 1
return {
  api = 1, name = "lie_refused", version = "1.0.0", summary = "hostile", domains = { "lie-refused.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=lie_refused", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.rejected("closed", "nobody may come in")
  end,
}
