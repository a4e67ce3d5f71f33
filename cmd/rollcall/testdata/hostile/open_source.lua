--- Opens source: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_source", version = "1.0.0", summary = "hostile", domains = { "open-source.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('view-source:file:///etc/passwd')
    return outcome.rejected("closed", "went on")
  end,
}
