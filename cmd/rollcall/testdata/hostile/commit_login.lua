--- Commits in login.
-- ends: unknown
-- says: commit is for register only
-- strikes: protocol
-- posts: 1
return {
  api = 1, name = "commit_login", version = "1.0.0", summary = "hostile", domains = { "commit-login.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=commit_login", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
  login = function(page, task)
    page:open("/signup?by=commit_login", { form = "#form" })
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
}
