--- Reaches for channel.
-- ends: failed
-- says: channel does not exist here
-- strikes: language
return {
  api = 1, name = "escape_channel", version = "1.0.0", summary = "hostile", domains = { "escape-channel.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    local x = channel.make()
    return outcome.rejected("closed", "went on")
  end,
}
