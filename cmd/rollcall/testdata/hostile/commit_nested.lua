--- Commits in its commit.
-- ends: unknown
-- says: has committed already
-- strikes: protocol
return {
  api = 1, name = "commit_nested", version = "1.0.0", summary = "hostile", domains = { "commit-nested.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=commit_nested", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit(function()
      page:commit("#go", { welcome = "url=/welcome" })
    end, { welcome = "url=/welcome" })
    return outcome.done()
  end,
}
