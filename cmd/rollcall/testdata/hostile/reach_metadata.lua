--- Declares a name that leads to the metadata service.
-- ends: failed
-- says: 403 Forbidden
-- strikes: egress
return {
  api = 1, name = "reach_metadata", version = "1.0.0", summary = "hostile", domains = { "reach-metadata.hostile.test" },
  needs = { "username", "email", "password" }, hosts = { "*.lure.test" },
  register = function(page, task)
    page:open('http://metadata.lure.test/latest/')
    return outcome.rejected("closed", "went on")
  end,
}
