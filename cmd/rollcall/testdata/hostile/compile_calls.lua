--- A call of a call of a call.
-- ends: refused
-- says: nested deeper
-- strikes: load
f«30000:()»
