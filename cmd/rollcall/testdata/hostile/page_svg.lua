--- A page that reaches for other hosts by svg.
-- ends: failed
-- says: tried
-- strikes: egress
return {
  api = 1, name = "page_svg", version = "1.0.0", summary = "hostile", domains = { "page-svg.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/lure/svg", { done = "#done" })
    return outcome.rejected("closed", page:text("#done"))
  end,
}
