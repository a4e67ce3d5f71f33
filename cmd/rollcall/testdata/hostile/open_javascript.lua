--- Opens javascript: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_javascript", version = "1.0.0", summary = "hostile", domains = { "open-javascript.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('javascript:fetch("http://10.0.0.1/")')
    return outcome.rejected("closed", "went on")
  end,
}
