--- Nine thousand blocks within each other.
-- ends: refused
-- says: nested deeper
-- strikes: load
«9000:do »
«9000:end »
return { api = 1, name = "compile_blocks", version = "1.0.0", summary = "hostile", domains = { "compile-blocks.hostile.test" }, register = function() return outcome.done() end }
