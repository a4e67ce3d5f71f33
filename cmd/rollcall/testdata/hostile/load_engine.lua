--- Asks for an engine of its own.
-- ends: refused
-- says: engine must be
-- strikes: load
return { api = 1, name = "load_engine", version = "1.0.0", summary = "hostile", domains = { "load-engine.hostile.test" }, register = function() return outcome.done() end, engine = "native" }
