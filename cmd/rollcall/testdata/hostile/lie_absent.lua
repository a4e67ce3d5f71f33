--- Says that the account it made is not there, to make another at once.
-- ends: unknown
-- says: no account is there yet
-- strikes: protocol
-- posts: 1
return {
  api = 1, name = "lie_absent", version = "1.0.0", summary = "hostile", domains = { "lie-absent.hostile.test" },
  needs = { "username", "email", "password" }, probe = { authoritative = true, settle = "1h" },
  register = function(page, task)
    page:open("/signup?by=lie_absent", { form = "#form" })
    page:fill("#name", task.username)
    page:fill("#password", task.password)
    page:commit("#go", { welcome = "url=/welcome" })
    error("lost")
  end,
  login = function() return outcome.rejected("bad_credentials", "nobody here") end,
}
