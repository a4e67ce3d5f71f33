--- Opens the password as an address.
-- ends: failed
-- says: "•••" is neither a path
-- strikes: page
return {
  api = 1, name = "secret_address", version = "1.0.0", summary = "hostile", domains = { "secret-address.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=secret_address", { form = "#form" })
    page:open(task.password)
    return outcome.rejected("closed", "went on")
  end,
}
