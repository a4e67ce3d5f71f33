--- Sandbox Community, in Vietnamese: sign-up, a link by mail, sign-in, a profile in Markdown, a list of links.
local words = require "lib.words"

---@type rollcall.Driver
local driver = {
  api = 1, name = "community", version = "1.0.0",
  summary = "the sandbox's community with confirmation by mail",
  domains = { "community.sandbox.test" },
  needs = { "full_name", "email", "password" },
  wants = { "about", "website" },
  limits = {
    password = { min = 8, classes = 2 },
    about = { max = 1000, format = "markdown" },
  },
}

local join, sign_in, save, add = "role=button[name=Đăng ký]", "role=button[name=Đăng nhập]", "role=button[name=Lưu hồ sơ]", "role=button[name=Thêm liên kết]"

function driver.register(page, task)
  page:open("/dang-ky", { form = join })
  page:fill("label=Họ và tên", task.full_name)
  page:fill("label=Địa chỉ email", task.email)
  page:fill("label=Mật khẩu", task.password)
  local seen, said = page:commit(join, { mail = "url=/dang-ky/kiem-tra-hop-thu", refused = "role=alert" })
  if seen == "refused" then return outcome.refused(said, words) end
  return outcome.done()
end

function driver.login(page, task)
  page:open("/dang-nhap", { form = sign_in })
  page:fill("label=Địa chỉ email", task.email)
  page:fill("label=Mật khẩu", task.password)
  local seen, said = page:click(sign_in, { inside = "url=/tai-khoan/ho-so", refused = "role=alert" })
  if seen == "refused" then
    if text.has(said, { "chưa được xác nhận" }) then return outcome.waiting("pending", { reason = said }) end
    return outcome.rejected("bad_credentials", said)
  end
  return outcome.done()
end

-- The link works once; whoever comes again finds out by signing in.
function driver.confirm(page, task)
  page:open(mail.wait { link = "/xac-nhan" }.link, { confirmed = "role=status", used = "role=alert" })
  return driver.login(page, task)
end

local function link_profile(page)
  return page:attr("css=nav a[href^='/thanh-vien/']", "href")
end

-- Adds the links that are not in the list yet, one form at a time.
local function add_links(page, links)
  for _, link in ipairs(links) do
    local there = "css=#lien-ket a[href=\"" .. link .. "\"]"
    if not page:exists(there) then
      page:fill("label=Địa chỉ liên kết", link)
      local seen, said = page:click(add, { added = there, refused = "role=alert" })
      if seen == "refused" then return outcome.refused(said, words) end
    end
  end
  return nil
end

function driver.profile(page, task)
  page:open("/tai-khoan/ho-so", { form = save })
  local changed = page:fields {
    about = { "label=Về bạn (Markdown)", optional = true }, website = { "label=Trang web", optional = true },
  }
  if changed > 0 then
    local seen, said = page:click(save, { saved = "role=status", refused = "role=alert" })
    if seen == "refused" then return outcome.refused(said, words) end
  end
  local refused = add_links(page, task.links)
  if refused then return refused end
  return outcome.done { link_profile = link_profile(page) }
end

function driver.connect(page, task)
  page:open("/tai-khoan/ho-so", { form = save })
  local refused = add_links(page, task.connect)
  if refused then return refused end
  return outcome.done { link_profile = link_profile(page) }
end

return driver
