--- A power of a power.
-- ends: refused
-- says: nested deeper
-- strikes: load
return 1«30000:^1»
