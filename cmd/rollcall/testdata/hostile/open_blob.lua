--- Opens blob: in the browser.
-- ends: failed
-- says: never opened
-- strikes: page
return {
  api = 1, name = "open_blob", version = "1.0.0", summary = "hostile", domains = { "open-blob.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open('blob:http://10.0.0.1/x')
    return outcome.rejected("closed", "went on")
  end,
}
