--- Signs up and never says so.
-- ends: unknown
-- says: never committed
-- strikes: evidence
-- posts: 1
return {
  api = 1, name = "commit_away", version = "1.0.0", summary = "hostile", domains = { "commit-away.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=commit_away", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:click("#go", { welcome = "url=/welcome" })
    return outcome.done()
  end,
}
