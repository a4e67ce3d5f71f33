--- Opens data: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_data", version = "1.0.0", summary = "hostile", domains = { "open-data.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('data:text/html,<img src=http://10.0.0.1/>')
    return outcome.rejected("closed", "went on")
  end,
}
