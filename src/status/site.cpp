#include "site.hpp"

#include "asio.hpp"
#include "vsr/base/crc32.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/number.hpp"
#include "vsr/base/sha256.hpp"
#include "web.hpp"

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace vsr::status {

namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned three = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      three = three << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[three >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  }
  return bytes;
}

// The hashes, as a Content-Security-Policy has them, of what stands between <tag> and </tag>.
std::string hashes_of(std::string_view page, std::string_view tag) {
  const std::string open = format("<{}>", tag);
  const std::string close = format("</{}>", tag);
  std::string hashes;
  for (std::size_t at = page.find(open); at != std::string_view::npos; at = page.find(open, at)) {
    at += open.size();
    const std::string_view content = page.substr(at, page.find(close, at) - at);
    hashes += format(" 'sha256-{}'", base64(bytes_of_hex(sha256_of(content))));
  }
  return hashes;
}

// Takes the same time wherever they differ. Both are hashes, so neither text nor length of what
// was hashed tells anything.
bool same_hash(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

bool is_one_of(const std::vector<std::string>& names, std::string_view host) {
  for (const std::string_view name : names) {
    if (host.substr(0, name.size()) != name) continue;
    const std::string_view rest = host.substr(name.size());
    if (rest.empty() || (rest[0] == ':' && parse_number<unsigned short>(rest.substr(1))))
      return true;
  }
  return false;
}

struct PreviewName {
  int segment = -1;
  std::string kind;
};

// "/preview/12/worst-after.jpg" or "/preview/latest.jpg" and nothing that only resembles them.
std::optional<PreviewName> preview_name(std::string_view path) {
  constexpr std::string_view kBegin = "/preview/";
  constexpr std::string_view kEnd = ".jpg";
  if (path == "/preview/latest.jpg") return PreviewName{-1, "after"};
  if (path.substr(0, kBegin.size()) != kBegin) return std::nullopt;
  path.remove_prefix(kBegin.size());
  const std::size_t slash = path.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  const std::string_view digits = path.substr(0, slash);
  const bool canonical = digits == "0" || (digits[0] >= '1' && digits[0] <= '9');
  const std::optional<int> segment = parse_number<int>(digits);
  if (!canonical || !segment) return std::nullopt;
  const std::string_view file = path.substr(slash + 1);
  for (const char* kind : {"before",
                           "after",
                           "detail-before",
                           "detail-after",
                           "worst-before",
                           "worst-after",
                           "worst-detail-before",
                           "worst-detail-after"}) {
    if (file == std::string(kind).append(kEnd)) return PreviewName{*segment, kind};
  }
  return std::nullopt;
}

}  // namespace

Answer refusal(http::status status, std::string_view why) {
  return {status,
          "text/plain; charset=utf-8",
          std::make_shared<const std::string>(format("{}\n", why)),
          {},
          false};
}

Site::Site(Content content,
           const std::string& token,
           std::vector<std::string> names,
           const Limits& limits)
    : content_(std::move(content)),
      held_(limits.held_bytes),
      snapshots_(content_.snapshot, limits.snapshot, held_),
      rate_(limits.requests_per_s, limits.requests_at_once),
      rate_of_all_(limits.requests_of_all_per_s, limits.requests_of_all_at_once),
      token_hash_(token.empty() ? "" : sha256_of(token)),
      names_(std::move(names)),
      page_(std::make_shared<const std::string>(whole_page("page.html"))),
      page_policy_(format("default-src 'none'; style-src{}; script-src{}; img-src 'self' blob: "
                          "data:; connect-src 'self'; "
                          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                          hashes_of(*page_, "style"),
                          hashes_of(*page_, "script"))) {}

bool Site::knows_token(const Request& request) const {
  if (token_hash_.empty()) return true;
  const beast::string_view scheme = "Bearer ";
  if (request.count(http::field::authorization) != 1) return false;
  const beast::string_view given = request[http::field::authorization];
  if (!beast::iequals(given.substr(0, scheme.size()), scheme)) return false;
  return same_hash(sha256_of(standard(given).substr(scheme.size())), token_hash_);
}

Answer Site::answer(const Request& request, const std::string& address) {
  const RateLimit::Time now = RateLimit::Time::clock::now();
  if (!rate_.take(address, now) || !rate_of_all_.take("", now)) {
    Answer answer = refusal(http::status::too_many_requests, "too many requests; wait a little");
    answer.fields = {{"Retry-After", "2"}};
    return answer;
  }
  const std::size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() > 10)) {
    return refusal(http::status::bad_request, "a request has one Host");
  }
  if (!names_.empty() && hosts == 1 && !is_one_of(names_, standard(request[http::field::host]))) {
    std::string names;
    for (const std::string& name : names_) names += " " + name;
    return refusal(http::status::misdirected_request,
                   format("this server goes by these names alone:{}", names));
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    Answer answer =
        refusal(http::status::method_not_allowed, "there is nothing here but to be read");
    answer.fields = {{"Allow", "GET, HEAD"}};
    return answer;
  }
  const std::string_view target = standard(request.target());
  if (target.empty() || target[0] != '/') {
    return refusal(http::status::bad_request, "a request names a path that begins with /");
  }
  return route(request, target.substr(0, target.find('?')));
}

Answer Site::route(const Request& request, std::string_view path) {
  if (path == "/") return page();
  if (path == "/healthz") return refusal(http::status::ok, "ok");
  if (path == "/favicon.ico") return {http::status::no_content, "", nullptr, {}, false};

  const std::optional<PreviewName> name = preview_name(path);
  const bool known = name || path == "/api/run" || path == "/api/events" || path == "/metrics";
  if (!known) return refusal(http::status::not_found, "there is no such thing here");
  if (!knows_token(request)) {
    Answer answer = refusal(http::status::unauthorized, "wanted: Authorization: Bearer TOKEN");
    answer.fields = {{"WWW-Authenticate", "Bearer"}};
    return answer;
  }
  if (name) return preview(request, name->segment, name->kind);
  if (path == "/metrics") {
    return run(snapshots_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  }
  if (path == "/api/run") return run(snapshots_.whole(), "application/json");
  Answer answer{http::status::ok, "text/event-stream", nullptr, {}, true};
  answer.fields = {{"Cache-Control", "no-store"}};
  return answer;
}

Answer Site::page() const {
  Answer answer{http::status::ok, "text/html; charset=utf-8", page_, {}, false};
  answer.fields = {{"Content-Security-Policy", page_policy_}, {"Cache-Control", "no-cache"}};
  return answer;
}

Answer Site::run(Bytes text, std::string_view type) {
  if (!text || held_.full()) {
    Answer answer =
        refusal(http::status::service_unavailable, "the run's status cannot be had now");
    answer.fields = {{"Retry-After", "2"}};
    return answer;
  }
  Answer answer{http::status::ok, std::string(type), std::move(text), {}, false};
  answer.fields = {{"Cache-Control", "no-store"}};
  return answer;
}

Answer Site::preview(const Request& request, int segment, const std::string& kind) {
  std::optional<std::string> picture;
  try {
    if (!held_.full()) {
      picture = content_.preview(segment, kind);
      if (!picture) return refusal(http::status::not_found, "there is no such picture (yet)");
    }
  } catch (const std::exception& error) {
    log::debug("status", "a preview: {}", error.what());
  } catch (...) {  // told to the client, as below
  }
  if (!picture) {
    return refusal(http::status::service_unavailable, "the picture cannot be had now");
  }
  // A segment may be made again, and its pictures with it: asked for each time, sent if new.
  const std::string tag = format("\"{:08x}-{}\"", crc32(*picture), picture->size());
  Answer answer{http::status::ok, "image/jpeg", nullptr, {}, false};
  answer.fields = {{"ETag", tag}, {"Cache-Control", "private, no-cache"}};
  if (standard(request[http::field::if_none_match]) == tag) {
    answer.status = http::status::not_modified;
    answer.type.clear();
  } else {
    answer.body = held_.hold(std::move(*picture));
  }
  return answer;
}

}  // namespace vsr::status
