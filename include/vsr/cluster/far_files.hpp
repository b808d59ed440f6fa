// On a rank other than 0: rank 0's files to be read here, and files of here to become rank 0's. The
// other end is FileService (file_service.hpp).
//
// Threads: any number of them open, read and put; the speaking thread, which alone speaks MPI,
// carries their messages (receive(), speak()). Who waits for an answer does so until it comes, or
// Stop::kNow (Error(kInterrupted)), or rank 0 has been silent for `silence_s` (Error(kCluster)).
// Whatever else goes wrong at rank 0 is the Error that it was there. A piece that comes torn is
// asked for once more; torn again it is an Error(kCluster).
#pragma once

#include "vsr/base/byte_source.hpp"
#include "vsr/cluster/communicator.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

namespace vsr::cluster {

struct Note;  // a message (src/cluster/message.hpp)

class FarFiles {
 public:
  // `stop` must outlive it, and it whatever it has opened.
  explicit FarFiles(const std::atomic<int>& stop, double silence_s = 60);
  ~FarFiles();
  FarFiles(const FarFiles&) = delete;
  FarFiles& operator=(const FarFiles&) = delete;

  // Reads in pieces of 1 MiB, keeps eight, and asks for four ahead where it is read on and on. All
  // open files together have eight pieces under way. A file that changes its size while it is read
  // is an Error(kInput).
  std::unique_ptr<ByteSource> open(const std::string& name);
  // A small file at once. Throws Error(kStorage) where it is larger than that.
  std::string read(const std::string& name, std::uint64_t most_bytes = 64u << 20);
  // Returns once rank 0 has published `file` as what `name` stands for there. One file after the
  // other, four pieces under way. Throws DiskFull where rank 0's disk is.
  void put(const std::filesystem::path& file, const std::string& name);

  // The speaking thread's, neither of which waits. Looks at every message from rank 0, and takes
  // those that are for here: true.
  bool receive(Note& note);
  // Sends what is to be asked; whether anybody waits for an answer.
  bool speak(Communicator& communicator);

 private:
  class Source;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::cluster
