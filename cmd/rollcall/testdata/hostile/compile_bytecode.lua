--- Compiled Lua instead of source.
-- ends: refused
-- says: Invalid token
-- strikes: load
\27Lua«100:Q»
