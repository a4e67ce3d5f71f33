--- What sites say when they refuse, in English and Vietnamese.
--- outcome.refused(said, words) takes the first rule with a phrase in what the
--- site said. A driver's own rules come first: { { code = "…", "…" }, words }.
--- Phrases are compared without regard to case; the specific stand before the general.

return {
  { code = "captcha",
    "captcha", "are you human", "you are human", "not a robot", "security question", "verification question",
    "mã xác nhận không đúng", "mã bảo vệ", "mã captcha", "xác nhận bạn không phải", "không phải là robot", "không phải người máy" },

  { code = "rate_limited",
    "too many", "rate limit", "slow down", "try again in a few minutes", "try again later", "wait a while", "temporarily throttled",
    "quá nhiều lần", "quá nhiều yêu cầu", "thử lại sau", "thao tác quá nhanh" },

  { code = "closed",
    "registration is disabled", "registration is closed", "registration is currently", "registrations are closed", "sign-up is closed",
    "signups are closed", "user registration is not allowed", "not accepting new", "invitation only", "invite only",
    "ngừng đăng ký", "đóng đăng ký", "không cho phép đăng ký", "tạm dừng đăng ký", "chỉ dành cho thành viên được mời" },

  { code = "banned",
    "banned", "blacklisted", "has been blocked", "is blocked", "suspended", "disposable email", "disposable e-mail",
    "not allowed to register", "account creation from this ip", "spam",
    "bị cấm", "bị chặn", "bị khóa", "bị khoá", "danh sách đen" },

  { code = "already_exists", field = "email",
    "email is already", "e-mail is already", "email already", "e-mail already", "email address is already", "email address already",
    "e-mail address is already", "email has already", "email address has already", "email is in use", "email is taken", "account with this email",
    "account with this e-mail", "email exists", "user with this email address already", "user with that email",
    "email đã được", "email đã tồn tại", "email này đã", "địa chỉ email đã", "thư điện tử đã", "email đã có người" },

  { code = "already_exists", field = "username",
    "username is already", "username already", "username is taken", "username has already", "username is not available", "username exists",
    "user name is already", "username entered already in use", "username you entered is already", "login is already", "user with this login",
    "name is already taken", "username you have chosen is already", "too similar to", "user already exists", "login already exists",
    "tên đăng nhập đã", "tên người dùng đã", "tên tài khoản đã", "tên thành viên đã", "tên này đã", "đã có người sử dụng tên", "tài khoản đã tồn tại" },

  { code = "already_exists",
    "already registered", "already exists", "already in use", "already been taken", "already taken", "already have an account",
    "đã được đăng ký", "đã tồn tại", "đã được sử dụng", "đã có người sử dụng" },

  { code = "bad_credentials",
    "incorrect username or password", "wrong username or password", "invalid username or password", "incorrect password", "wrong password",
    "password you entered is incorrect", "password you entered for", "invalid credentials", "login failed", "log in failed", "username or password was incorrect",
    "unknown username", "unknown email address", "is not registered on this site", "there is no user by the name",
    "sai mật khẩu", "mật khẩu không đúng", "mật khẩu không chính xác", "sai tên đăng nhập", "thông tin đăng nhập không", "đăng nhập thất bại", "tài khoản không tồn tại" },

  { code = "invalid_input", field = "password",
    "password is too", "password too", "password must", "passwords must", "weak password", "stronger password", "password should", "commonly used password",
    "password is not strong", "passwords do not match", "common password", "password contains",
    "mật khẩu quá", "mật khẩu phải", "mật khẩu yếu", "mật khẩu không khớp", "mật khẩu cần" },

  { code = "invalid_input", field = "email",
    "invalid email", "invalid e-mail", "valid email", "valid e-mail", "email address isn't correct", "email address is not valid", "email is not valid",
    "e-mail address cannot be accepted", "email domain", "email không hợp lệ", "email không đúng", "địa chỉ email không", "thư điện tử không hợp lệ" },

  { code = "invalid_input", field = "username",
    "invalid username", "username is invalid", "username must", "username can only", "username cannot", "username is not allowed", "username is too",
    "illegal characters", "not specified a valid username", "valid username", "username contains",
    "tên đăng nhập không hợp lệ", "tên đăng nhập phải", "tên đăng nhập chỉ", "tên người dùng không hợp lệ", "tên người dùng phải", "ký tự không hợp lệ" },
}
