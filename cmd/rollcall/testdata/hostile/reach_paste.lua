--- Pastes pictures and frames of other hosts into an editor.
-- ends: failed
-- says: went on
-- strikes: egress
return {
  api = 1, name = "reach_paste", version = "1.0.0", summary = "hostile", domains = { "reach-paste.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    page:open("/signup?by=reach_paste", { form = "#form" })
    page:paste("#rich", "<img src=http://10.0.0.1/x.png><iframe src=http://169.254.169.254/></iframe><link rel=stylesheet href=http://collect.example/>")
    return outcome.rejected("closed", "went on")
  end,
}
