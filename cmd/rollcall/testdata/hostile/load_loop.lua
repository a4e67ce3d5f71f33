--- Never ends to load.
-- ends: refused
-- says: loading takes more than
-- strikes: load
while true do end
return { api = 1, name = "load_loop", version = "1.0.0", summary = "hostile", domains = { "load-loop.hostile.test" }, register = function() return outcome.done() end }
