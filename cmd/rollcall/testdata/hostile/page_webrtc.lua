--- A page that reaches for other hosts by webrtc.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_webrtc", version = "1.0.0", summary = "hostile", domains = { "page-webrtc.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/webrtc", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
