--- Sorts what it may only read.
-- ends: failed
-- says: read-only
-- strikes: language
return {
  api = 1, name = "meta_links", version = "1.0.0", summary = "hostile", domains = { "meta-links.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    table.sort(task.links)
    return outcome.rejected("closed", "went on")
  end,
}
