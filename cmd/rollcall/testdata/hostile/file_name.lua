--- Names an image that is a path.
-- ends: failed
-- says: takes task.avatar or task.cover
-- strikes: language
return {
  api = 1, name = "file_name", version = "1.0.0", summary = "hostile", domains = { "file-name.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=file_name", { form = "#form" })
    page:upload("#file", { name = "/etc/passwd" })
    return outcome.rejected("closed", "went on")
  end,
}
