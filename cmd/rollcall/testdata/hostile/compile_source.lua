--- More source than anybody reads.
-- ends: refused
-- says: the source has
-- strikes: load
-- «100000:x»
return { api = 1, name = "compile_source", version = "1.0.0", summary = "hostile", domains = { "compile-source.hostile.test" }, register = function() return outcome.done() end }
