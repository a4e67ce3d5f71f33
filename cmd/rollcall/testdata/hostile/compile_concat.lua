--- Twelve thousand texts joined at once.
-- ends: refused
-- says: table.concat
-- strikes: load
return 'a'«12000:..'a'»
