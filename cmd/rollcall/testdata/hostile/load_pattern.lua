--- A costly pattern while it loads.
-- ends: refused
-- says: this costly
-- strikes: load
local s = ("a"):rep(3000):match("(.-)(.-)(.-)(.-)b")
return { api = 1, name = "load_pattern", version = "1.0.0", summary = "hostile", domains = { "load-pattern.hostile.test" }, register = function() return outcome.done() end }
