--- Declares every host there is.
-- ends: refused
-- says: hosts:
-- strikes: load
return { api = 1, name = "load_hosts", version = "1.0.0", summary = "hostile", domains = { "load-hosts.hostile.test" }, register = function() return outcome.done() end, hosts = { "*" } }
