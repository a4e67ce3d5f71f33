--- Thirty thousand braces.
-- ends: refused
-- says: nested deeper
-- strikes: load
local t = «30000:{»
