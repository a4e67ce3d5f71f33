--- Adds to a text what it lacks, so that a second run adds nothing.
--- append.to(current, parts) returns the text and how many parts were added. A part
--- is { add = "the lines to add" }: it is there when its lines are. With url, it
--- is there when the address stands anywhere, as an address of its own.

--- The end of an address: nothing that could go on with it.
local function has_url(current, url)
  local from = 1
  while true do
    local first, last = current:find(url, from, true)
    if not first then return false end
    if not current:sub(last + 1):find("^[%w%%/?=&#_~+-]") and not current:sub(last + 1):find("^[.:,;!]%w") then return true end
    from = last + 1
  end
end

-- Whether the text ends with a line like the one that holds the address: then
-- the new line goes on with that list.
local function goes_on(current, part)
  local head = part.add:sub(1, (part.add:find(part.url, 1, true) or 1) - 1)
  return head ~= "" and current:match("[^\n]*$"):sub(1, #head) == head
end

local function to(current, parts)
  current = current:gsub("\r\n", "\n"):gsub("%s+$", "")
  local added = 0
  for _, part in ipairs(parts) do
    local there
    if part.url then
      there = has_url(current, part.url)
    else
      there = part.add == "" or current:find(part.add, 1, true) ~= nil
    end
    if not there then
      local gap = "\n\n"
      if current == "" then gap = "" elseif part.url and goes_on(current, part) then gap = "\n" end
      current = current .. gap .. part.add
      added = added + 1
    end
  end
  return current, added
end

return { to = to }
