--- Writes into a text, which the compiler takes for a local variable.
-- ends: refused
-- says: a constant has no fields
-- strikes: load
local t = { 1, 2 }
("x").rep = 1
return { api = 1, name = "meta_text", version = "1.0.0", summary = "hostile", domains = { "meta-text.hostile.test" }, register = function() return outcome.done() end }
