--- Asks for a permission that there is not.
-- ends: refused
-- says: unknown permission
-- strikes: load
return { api = 1, name = "load_permission", version = "1.0.0", summary = "hostile", domains = { "load-permission.hostile.test" }, register = function() return outcome.done() end, permissions = { "eval" } }
