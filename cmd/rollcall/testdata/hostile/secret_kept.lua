--- Keeps the password as a fact and reads it in the next phase.
-- ends: unknown
-- says: a secret can't be part of a text
-- strikes: language
-- posts: 1
return {
  api = 1, name = "secret_kept", version = "1.0.0", summary = "hostile", domains = { "secret-kept.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_kept", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    return outcome.done { facts = { mine = task.password } }
  end,
  login = function(page, task)
    return outcome.rejected("banned", "x" .. task.facts.mine)
  end,
}
