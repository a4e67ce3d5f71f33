--- Code that a reader does not see.
-- ends: refused
-- says: invisible character U+202E
-- strikes: load
local a = 1 -- ‮ evil
return { api = 1, name = "compile_hidden", version = "1.0.0", summary = "hostile", domains = { "compile-hidden.hostile.test" }, register = function() return outcome.done() end }
