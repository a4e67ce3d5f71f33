--- Waits for a thousand signs.
-- ends: failed
-- says: 1 to 32 signs
-- strikes: language
return {
  api = 1, name = "flood_signs", version = "1.0.0", summary = "hostile", domains = { "flood-signs.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local t = {}
    for i = 1, 1000 do t["s" .. i] = "#s" .. i end
    page:open("/signup?by=flood_signs", t)
    return outcome.rejected("closed", "went on")
  end,
}
