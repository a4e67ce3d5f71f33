--- A pattern that ends in the middle.
-- ends: failed
-- says: register returned nil
-- strikes: language
return {
  api = 1, name = "pattern_broken", version = "1.0.0", summary = "hostile", domains = { "pattern-broken.hostile.test" },
  needs = { "username", "email", "password" },
  register = function(page, task)
    return ("a"):match("%")
  end,
}
