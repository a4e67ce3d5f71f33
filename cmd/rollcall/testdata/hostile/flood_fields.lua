--- Fills a thousand fields.
-- ends: failed
-- says: is no field of the task
-- strikes: language
return {
  api = 1, name = "flood_fields", version = "1.0.0", summary = "hostile", domains = { "flood-fields.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    for i = 1, 1000 do t["f" .. i] = "#name" end
    page:open("/signup?by=flood_fields")
    page:fields(t)
    return outcome.rejected("closed", "went on")
  end,
}
