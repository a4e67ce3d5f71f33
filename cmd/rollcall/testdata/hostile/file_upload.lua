--- Uploads a file of the system.
-- ends: failed
-- says: takes task.avatar or task.cover
-- strikes: language
return {
  api = 1, name = "file_upload", version = "1.0.0", summary = "hostile", domains = { "file-upload.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=file_upload", { form = "#form" })
    page:upload("#file", "/etc/passwd")
    return outcome.rejected("closed", "went on")
  end,
}
