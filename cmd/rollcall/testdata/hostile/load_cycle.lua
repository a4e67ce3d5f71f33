--- A manifest that holds itself.
-- ends: refused
-- says: unknown key
-- strikes: load
local d = { api = 1, name = "load_cycle", version = "1.0.0", summary = "hostile", domains = { "load-cycle.hostile.test" } }
d.limits, d.tests = d, d
return d
