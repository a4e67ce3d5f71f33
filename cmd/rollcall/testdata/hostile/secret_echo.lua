--- A page that says the password after it was sent.
-- ends: failed
-- says: closed: •••
-- strikes: page
return {
  api = 1, name = "secret_echo", version = "1.0.0", summary = "hostile", domains = { "secret-echo.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/get", { field = "#password" })
    page:fill("#password", task.password)
    local seen, said = page:click("#go", { said = "#out" })
    print(said, page:url(), page:text("role=alert"))
    return outcome.rejected("closed", said .. " " .. page:url())
  end,
}
