--- Types a path into a file field.
-- ends: failed
-- says: a file input is not filled
-- strikes: page
return {
  api = 1, name = "file_fill", version = "1.0.0", summary = "hostile", domains = { "file-fill.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=file_fill", { form = "#form" })
    page:fill("#file", "/etc/passwd")
    return outcome.rejected("closed", "went on")
  end,
}
