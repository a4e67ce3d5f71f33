--- Fills the memory while it loads.
-- ends: refused
-- says: loading
-- strikes: load
local t = {}
for i = 1, 1000 do t[i] = ("x"):rep(1000000) end
return { api = 1, name = "load_memory", version = "1.0.0", summary = "hostile", domains = { "load-memory.hostile.test" }, register = function() return outcome.done() end }
