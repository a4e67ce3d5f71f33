--- Requires a file of the system.
-- ends: refused
-- says: only lib.* can be required
-- strikes: load
local x = require "lib...lib../etc/passwd"
return { api = 1, name = "load_require", version = "1.0.0", summary = "hostile", domains = { "load-require.hostile.test" }, register = function() return outcome.done() end }
