// Files of rank 0 for ranks that do not see them, and files of these ranks for rank 0, in messages
// of at most 1 MiB, each with its CRC-32. The other end is FarFiles (far_files.hpp).
//
// Disks may be slow and the speaking thread must not wait: one thread reads, another one writes. A
// rank has only so many messages unanswered (far_files.hpp), which bounds what lies here: 12 MiB a
// rank. As long as something is in hand for a rank it is told so every few seconds, so that a slow
// disk is not taken for a rank 0 that is gone.
#pragma once

#include "vsr/cluster/communicator.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace vsr::cluster {

struct Note;  // a message (src/cluster/message.hpp)

// What names stand for, and what goes with a file that comes. All are called on threads of the
// service and throw Error, which the rank that asked is told: above all for names that stand for
// nothing.
struct ServedFiles {
  std::function<std::filesystem::path(const std::string& name)> to_read;
  // Called once for each file that comes, before anything of it is written. The file is written as
  // part_name(path) and published when it is whole.
  std::function<std::filesystem::path(const std::string& name)> to_write;
  // The file is published; its rank is told after this.
  std::function<void(const std::string& name)> written;
};

class FileService {
 public:
  // `say_every_s`: how often a rank is told that what it asked is in hand.
  explicit FileService(ServedFiles files, double say_every_s = 5);
  // What has not been answered is dropped, and files that are not whole are removed.
  ~FileService();
  FileService(const FileService&) = delete;
  FileService& operator=(const FileService&) = delete;

  // The speaking thread's, neither of which waits. Takes a rank's kFetch or kPut.
  void receive(int from, Note note);
  // Sends the answers that are ready; whether anything is in hand.
  bool speak(Communicator& communicator);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::cluster
