--- A call with three hundred arguments.
-- ends: refused
-- says: register overflow
-- strikes: load
local function f() end
local function g() f(«300:f(#), »0) end
return { api = 1, name = "compile_registers", version = "1.0.0", summary = "hostile", domains = { "compile-registers.hostile.test" }, register = function() return outcome.done() end }
