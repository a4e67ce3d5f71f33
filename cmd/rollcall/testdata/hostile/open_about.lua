--- Opens about: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_about", version = "1.0.0", summary = "hostile", domains = { "open-about.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('about:blank')
    return outcome.rejected("closed", "went on")
  end,
}
