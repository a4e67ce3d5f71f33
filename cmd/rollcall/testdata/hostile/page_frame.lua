--- A page that reaches for other hosts by frame.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_frame", version = "1.0.0", summary = "hostile", domains = { "page-frame.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/frame", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
