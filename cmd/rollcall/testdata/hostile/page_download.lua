--- A page that reaches for other hosts by download.
-- ends: failed
-- says: tried | is not one of the site's
-- strikes: egress
return {
  api = 1, name = "page_download", version = "1.0.0", summary = "hostile", domains = { "page-download.hostile.test" },
  needs = { "username", "email", "password" }, permissions = { "downloads" },
  register = function(page, task)
    page:open("/lure/download", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
