--- A page that reaches for other hosts by websocket.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_websocket", version = "1.0.0", summary = "hostile", domains = { "page-websocket.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/websocket", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
