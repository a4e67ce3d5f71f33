--- A page that says the password where the driver breaks.
-- ends: failed
-- says: role=alert
-- strikes: page
return {
  api = 1, name = "secret_fault", version = "1.0.0", summary = "hostile", domains = { "secret-fault.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/get", { field = "#password" })
    page:fill("#password", task.password)
    page:click("#go", { said = "#out" })
    page:text("role=alert >> #nothing")
  end,
}
