--- A page that shows what was typed, in its text, title and address.
-- ends: failed
-- says: closed: •••
-- strikes: page
return {
  api = 1, name = "secret_shift", version = "1.0.0", summary = "hostile", domains = { "secret-shift.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/shift", { field = "#password" })
    page:fill("#password", task.password)
    return outcome.rejected("closed", page:text("#out") .. " " .. page:url())
  end,
}
