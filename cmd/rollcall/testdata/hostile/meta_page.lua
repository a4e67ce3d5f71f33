--- Changes the page.
-- ends: failed
-- says: the page is read-only
-- strikes: language
return {
  api = 1, name = "meta_page", version = "1.0.0", summary = "hostile", domains = { "meta-page.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page.commit = page.click
    return outcome.rejected("closed", "went on")
  end,
}
