--- Commits twice.
-- ends: unknown
-- says: has committed already
-- strikes: protocol
-- posts: 1
return {
  api = 1, name = "commit_twice", version = "1.0.0", summary = "hostile", domains = { "commit-twice.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=commit_twice", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    page:open("/signup?by=commit_twice", { form = "#form" })
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
}
