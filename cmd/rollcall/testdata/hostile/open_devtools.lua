--- Opens devtools: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_devtools", version = "1.0.0", summary = "hostile", domains = { "open-devtools.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('devtools://devtools/bundled/inspector.html')
    return outcome.rejected("closed", "went on")
  end,
}
