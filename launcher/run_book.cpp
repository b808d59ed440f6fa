#include "run_book.hpp"

#include "last_time.hpp"
#include "version.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostEvents = 500;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// "2026-01-31T12-34-56Z-pod-a-4711": in order of time where clocks agree, and no other start's.
std::string name_of_start(const store::StartFile& start) {
  std::string name = format("{}-{}-{}", start.begun, start.host, start.pid);
  for (char& c : name) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isalnum(letter) == 0 && c != '.' && c != '_') c = '-';
  }
  return name;
}

store::StartFile start_of(const Lead& lead) {
  store::StartFile start;
  start.command = own_command();
  start.launcher = command_of_launcher();
  std::error_code error;
  start.directory = fs::current_path(error).string();
  start.program_version = program_version();
  start.versions = split(all_versions(), '\n');
  start.host = host_name();
  start.pid = ::getpid();
  start.job_name = lead.job_name;
  start.begun = utc_now();
  for (std::size_t i = 0; i < lead.ranks.size(); ++i) {
    const Resources& rank = lead.ranks[i];
    start.ranks.push_back({static_cast<int>(i),
                           rank.host,
                           rank.gpu,
                           rank.cpus,
                           static_cast<std::int64_t>(rank.host_bytes),
                           rank.encodes_only});
  }
  return start;
}

}  // namespace

std::vector<std::string> own_command() {
  return store::without_secrets(split(content_of("/proc/self/cmdline"), '\0'));
}

std::vector<std::string> command_of_launcher() {
  constexpr std::array<std::string_view, 5> kLaunchers = {
      "mpirun", "mpiexec", "orterun", "prterun", "srun"};
  const fs::path parent = fs::path("/proc") / std::to_string(::getppid());
  auto words = split(content_of(parent / "cmdline"), '\0');
  if (words.empty()) return {};
  const std::string program = fs::path(words.front()).filename().string();
  if (std::ranges::find(kLaunchers, program) == kLaunchers.end()) return {};
  return store::without_secrets(std::move(words));
}

template <typename Write>
void RunBook::without_fail(const Write& write) noexcept {
  try {
    write();
  } catch (const std::exception& error) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(told_, true)) {
      log::warning("store", "the run's ledger or report cannot be written: {}", error.what());
    }
  }
}

RunBook::RunBook(const Lead& lead)
    : reader_(lead.directory, lead.prepared.plan, lead.job),
      start_(start_of(lead)),
      name_(name_of_start(start_)) {
  if (lead.job_name.empty()) without_fail([&] { reader_.directory().sweep_for_people(); });
}

void RunBook::begin(RunReader::Hear hear) {
  reader_.on_record(std::move(hear));
  thread_ = std::thread([this] { work(); });
}

RunBook::~RunBook() { stop(); }

void RunBook::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RunBook::changed() noexcept {
  const std::lock_guard lock(mutex_);
  changed_ = true;
}

void RunBook::catch_up() noexcept {
  without_fail([&] { read(true); });
}

std::map<int, assemble::Seam> RunBook::seams() {
  without_fail([&] { read(true); });
  const std::lock_guard lock(reading_);
  return reader_.seams();
}

void RunBook::Events::add(const status::Notice& notice) noexcept {
  const std::lock_guard lock(mutex);
  is_new = true;
  if (first.size() >= kMostEvents) {
    ++left_out;
    return;
  }
  try {
    first.push_back({notice.time, notice.level, notice.rank, store::cut_event(notice.text)});
  } catch (const std::exception&) {
    ++left_out;  // the log has it
  }
}

bool RunBook::Events::has_new() {
  const std::lock_guard lock(mutex);
  return is_new;
}

void RunBook::Events::tell(store::StartFile& start) {
  const std::lock_guard lock(mutex);
  is_new = false;
  start.events = first;
  start.events_left_out = left_out;
}

RunBook::NoteTaker RunBook::note_taker() const {
  return [events = events_](const status::Notice& notice) { events->add(notice); };
}

void RunBook::read_all() noexcept {
  without_fail([&] {
    read(true);
    write_ledger();
  });
}

void RunBook::end(int exit_status, const std::string& message) noexcept {
  stop();
  {
    const std::lock_guard lock(mutex_);
    start_.ended = utc_now();
    start_.exit_status = exit_status;
    start_.message = store::cut_event(message);
  }
  without_fail([&] { write_start(); });
  read_all();
  without_fail([&] {
    write_report();
    log::info("launcher", "report: {}", reader_.directory().report_file().string());
  });
}

void RunBook::work() {
  LastTime start_written;
  LastTime ledger_written;
  bool unwritten = false;
  std::unique_lock lock(mutex_);
  do {
    const bool reads = std::exchange(changed_, false);
    lock.unlock();
    if (start_written.due(events_->has_new() ? kStartEvery : kSeenEvery)) {
      without_fail([&] { write_start(); });
    }
    if (reads) {
      unwritten = true;
      without_fail([&] { read(!ledger_written.ever()); });
    }
    if (unwritten && ledger_written.due(kLedgerEvery)) {
      unwritten = false;
      without_fail([&] { write_ledger(); });
    }
    lock.lock();
  } while (!wake_.wait_for(lock, kReadEvery, [this] { return stopped_; }));
}

void RunBook::write_start() {
  std::string content;
  {
    const std::lock_guard lock(mutex_);
    start_.seen = utc_now();
    events_->tell(start_);
    content = store::encode_start_file(start_);
  }
  const store::RunDirectory& directory = reader_.directory();
  directory.write_for_people(directory.start_file(name_), content, name_);
}

void RunBook::read(bool all) {
  const std::lock_guard lock(reading_);
  if (all) {
    reader_.update();
  } else {
    reader_.update_new();
  }
}

void RunBook::write_ledger() {
  const std::lock_guard lock(reading_);
  const store::RunDirectory& directory = reader_.directory();
  directory.write_for_people(directory.run_file(), store::encode_ledger(reader_.run()), name_);
}

void RunBook::write_report() {
  const std::lock_guard lock(reading_);
  const store::RunDirectory& directory = reader_.directory();
  directory.write_for_people(
      directory.report_file(), status::report_html(reader_.report_data()), name_);
}

}  // namespace vsr::launcher
