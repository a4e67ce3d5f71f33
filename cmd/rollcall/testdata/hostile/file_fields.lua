--- Fills a file field.
-- ends: failed
-- says: can't be filled
-- strikes: page
return {
  api = 1, name = "file_fields", version = "1.0.0", summary = "hostile", domains = { "file-fields.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=file_fields", { form = "#form" })
    page:fields { about = { "#file", value = "/etc/passwd" } }
    return outcome.rejected("closed", "went on")
  end,
}
