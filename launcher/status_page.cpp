#include "status_page.hpp"

#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

namespace vsr::launcher {

namespace {

constexpr const char* kVariable = "VSR_STATUS_TOKEN";
constexpr std::size_t kLeastToken = 16;
constexpr const char* kUsual = "127.0.0.1:8080";
constexpr const char* kAnyPort = "127.0.0.1:0";

std::string read_token(const std::string& path) {
  struct stat found {};

  if (::stat(path.c_str(), &found) == 0 && (found.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    log::warning("status", "{}: others may read the token: chmod 600 keeps it yours", path);
  }
  std::string token;
  try {
    token = read_file(path, 64 << 10);
  } catch (const Error& error) {
    throw Error(ErrorCode::kUsage, format("status.token_file = {}", error.what()));
  }
  return token.substr(0, token.find_first_of("\r\n"));
}

}  // namespace

std::string take_token(const Job& job) {
  std::string token;
  std::string from = format("status.token_file = {}", job.status.token_file);
  if (const char* const given = std::getenv(kVariable)) {
    token = given;
    from = kVariable;
    ::unsetenv(kVariable);
    if (token.empty() && job.status.token_file.empty()) return token;
  }
  if (token.empty() && job.status.token_file.empty()) return token;
  if (token.empty()) token = read_token(job.status.token_file);
  if (token.size() < kLeastToken) {
    throw Error(ErrorCode::kUsage,
                format("{}: the token has {} characters, {} at least are wanted; "
                       "'openssl rand -hex 16' makes one",
                       from,
                       token.size(),
                       kLeastToken));
  }
  return token;
}

std::optional<std::string> picture_of(const Preview& preview, std::string_view side) {
  const std::string* picture = side == "before"          ? &preview.before
                               : side == "after"         ? &preview.after
                               : side == "detail-before" ? &preview.detail_before
                               : side == "detail-after"  ? &preview.detail_after
                                                         : nullptr;
  if (picture == nullptr || picture->empty()) return std::nullopt;
  return *picture;
}

StatusPage::StatusPage(const Job& job) {
  planning_.state = "planning";
  planning_.film = std::filesystem::path(job.input.file).filename().string();
  planning_.run_dir = job.run.dir;
  planning_.program_version = program_version();
  planning_.host = host_name();
  planning_.started = utc_now();
  const std::string token = take_token(job);
  const std::string& listen = job.status.listen;
  if (listen == "off") return;
  try {
    server_ = open(listen == "auto" ? kUsual : listen, token);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUsage) throw;
    if (listen != "auto") {
      log::warning("status", "the run goes on without a status page: {}", error.what());
      return;
    }
    log::debug("status", "{}", error.what());
  }
  try {
    if (!server_) server_ = open(kAnyPort, token);
  } catch (const Error& error) {
    log::debug("status", "there is no status page: {}", error.what());
    return;
  }
  log::info("status", "status page: {}", server_->url());
}

std::unique_ptr<status::Server> StatusPage::open(const std::string& listen,
                                                 const std::string& token) {
  return std::make_unique<status::Server>(
      status::ServerOptions{.listen = listen, .token = token},
      status::Content{
          [this] { return status(); },
          [this](int segment, const std::string& kind) { return preview(segment, kind); }});
}

status::RunStatus StatusPage::planning(const std::string& message) {
  const std::lock_guard lock(mutex_);
  planning_.message = message;
  status::RunStatus status = planning_;
  status.now = utc_now();
  return status;
}

void StatusPage::show(std::shared_ptr<StatusBoard> board,
                      const store::RunDirectory& directory,
                      int segments) {
  auto shown = std::make_shared<const Shown>(Shown{std::move(board), directory, segments});
  const std::lock_guard lock(mutex_);
  shown_ = std::move(shown);
}

std::shared_ptr<const StatusPage::Shown> StatusPage::shown() {
  const std::lock_guard lock(mutex_);
  return shown_;
}

status::RunStatus StatusPage::status() {
  if (const auto run = shown()) return run->board->status();
  const std::lock_guard lock(mutex_);
  status::RunStatus status = planning_;
  status.now = utc_now();
  return status;
}

// On the server's thread, which waits for the disk.
std::optional<std::string> StatusPage::preview(int segment, const std::string& kind) {
  const auto run = shown();
  if (!run) return std::nullopt;
  if (segment < 0) segment = run->board->status().latest_preview;
  if (segment < 0 || segment >= run->segments) return std::nullopt;
  constexpr std::string_view kWorst = "worst-";
  const bool worst = kind.rfind(kWorst, 0) == 0;
  const auto preview = run->directory.preview(segment, worst ? "worst" : "middle");
  if (!preview) return std::nullopt;
  return picture_of(*preview, std::string_view(kind).substr(worst ? kWorst.size() : 0));
}

}  // namespace vsr::launcher
