// What rank 0 writes down of a run for people: run.h5, the file of this start, and the report
// (docs/ledger.md). It reads each record, once, for whoever else wants to know what it holds.
#pragma once

#include "open_run.hpp"
#include "run_reader.hpp"
#include "vsr/status/run_status.hpp"
#include "vsr/store/start_file.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vsr::launcher {

// Writes on a thread of its own, so that nobody waits for it. What goes wrong is a warning, once:
// no run fails for want of its book.
// Threads: every function but begin and end may be called from any.
class RunBook {
 public:
  // This start has begun.
  explicit RunBook(const Lead& lead);
  // Without end(): the start has none, as where the process was killed.
  ~RunBook();
  RunBook(const RunBook&) = delete;
  RunBook& operator=(const RunBook&) = delete;

  // Reads and writes from now on. `hear`, which may outlive the run's end, is told each record.
  void begin(RunReader::Hear hear);
  // Something was committed: it is read within kReadEvery, and the ledger written anew within
  // kLedgerEvery.
  void changed() noexcept;
  // Reads what was committed until now. Waits for it.
  void catch_up() noexcept;
  // Where segments meet, of all that are committed. Waits for it.
  std::map<int, assemble::Seam> seams();
  // Takes a warning or an error of any rank; may outlive the book.
  using NoteTaker = std::function<void(const status::Notice&)>;
  NoteTaker note_taker() const;
  // Takes in what was committed until now, and writes the ledger, for records are about to go: jobs
  // beside this one that have not read them take them from there. Waits for it.
  void read_all() noexcept;
  // This start is over. `message`: why it failed; empty: it did not. Writes everything, the report
  // too.
  void end(int exit_status, const std::string& message) noexcept;

  static constexpr auto kReadEvery = std::chrono::seconds(1);
  static constexpr auto kLedgerEvery = std::chrono::seconds(10);
  static constexpr auto kStartEvery = std::chrono::seconds(5);  // for events
  static constexpr auto kSeenEvery = std::chrono::seconds(60);  // for its being at work

 private:
  // What the log has said; the log's threads write while the book's reads.
  struct Events {
    std::mutex mutex;
    std::vector<store::StartEvent> first;
    std::int64_t left_out = 0;
    bool is_new = false;

    void add(const status::Notice& notice) noexcept;
    bool has_new();  // since the last tell()
    void tell(store::StartFile& start);
  };

  void work();
  void stop();
  void write_start();
  // `all`: looks at every record, not at those alone that are new.
  void read(bool all);
  void write_ledger();
  void write_report();
  // Runs `write`; what goes wrong is told once.
  template <typename Write>
  void without_fail(const Write& write) noexcept;

  const std::shared_ptr<Events> events_ = std::make_shared<Events>();

  std::mutex reading_;  // guards reader_
  RunReader reader_;

  std::mutex mutex_;  // guards what follows, but the name
  std::condition_variable wake_;
  store::StartFile start_;
  const std::string name_;  // of its file
  bool changed_ = true;
  bool stopped_ = false;
  bool told_ = false;

  std::thread thread_;
};

// The command lines of this process and, where it is one that starts ranks and runs on this host,
// of its parent; without secrets.
std::vector<std::string> own_command();
std::vector<std::string> command_of_launcher();

}  // namespace vsr::launcher
