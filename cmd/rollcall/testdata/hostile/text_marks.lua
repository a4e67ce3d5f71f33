--- A letter under half a million marks.
-- ends: failed
-- says: went on
-- strikes: nothing
return {
  api = 1, name = "text_marks", version = "1.0.0", summary = "hostile", domains = { "text-marks.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local s = text.slug("a" .. ("\204\129"):rep(400000)) .. text.handle(("\204\129"):rep(400000)) .. text.fit(("\204\129"):rep(400000), 5)
    return outcome.rejected("closed", "went on")
  end,
}
