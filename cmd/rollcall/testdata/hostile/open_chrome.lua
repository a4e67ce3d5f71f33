--- Opens chrome: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_chrome", version = "1.0.0", summary = "hostile", domains = { "open-chrome.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('chrome://settings/')
    return outcome.rejected("closed", "went on")
  end,
}
