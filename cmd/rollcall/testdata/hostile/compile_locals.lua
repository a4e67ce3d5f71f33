--- More local variables than there are registers.
-- ends: refused
-- says: too many local variables
-- strikes: load
«5000:local v# »
return { api = 1, name = "compile_locals", version = "1.0.0", summary = "hostile", domains = { "compile-locals.hostile.test" }, register = function() return outcome.done() end }
