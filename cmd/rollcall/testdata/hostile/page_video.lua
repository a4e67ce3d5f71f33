--- A page that reaches for other hosts by video.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_video", version = "1.0.0", summary = "hostile", domains = { "page-video.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/video", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
