--- A page that reaches for other hosts by image.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_image", version = "1.0.0", summary = "hostile", domains = { "page-image.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/image", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
