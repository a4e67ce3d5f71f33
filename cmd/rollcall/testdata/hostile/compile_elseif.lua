--- Four thousand alternatives.
-- ends: refused
-- says: nested deeper
-- strikes: load
if a then «4000:elseif a then »end
