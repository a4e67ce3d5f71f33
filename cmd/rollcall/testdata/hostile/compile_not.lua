--- Sixteen thousand times not.
-- ends: refused
-- says: nested deeper
-- strikes: load
return «16000:not »1
