--- Waits for mail while it loads.
-- ends: refused
-- says: loading has no effect
-- strikes: load
mail.wait { link = true }
return { api = 1, name = "load_effect", version = "1.0.0", summary = "hostile", domains = { "load-effect.hostile.test" }, register = function() return outcome.done() end }
