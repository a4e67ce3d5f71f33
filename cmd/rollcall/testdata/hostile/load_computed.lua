--- Requires a name that it makes up.
-- ends: refused
-- says: one name in quotes
-- strikes: load
local x = require("lib." .. "words")
return { api = 1, name = "load_computed", version = "1.0.0", summary = "hostile", domains = { "load-computed.hostile.test" }, register = function() return outcome.done() end }
