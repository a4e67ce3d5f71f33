--- A field of a field of a field.
-- ends: refused
-- says: nested deeper
-- strikes: load
return a«30000:.a»
