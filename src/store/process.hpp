// Which process something belongs to, so that another process of the same machine can tell whether
// it still lives.
#pragma once

#include <cstdint>
#include <string>

namespace vsr::store {

struct Process {
  std::int64_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot: tells a process from a later one of the same number
  // Where `pid` means something: one boot of one kernel and one PID namespace. Host names do not
  // say that: containers share them, and so do machines made from one image. "-" when unknown.
  std::string place = "-";
};

Process this_process();
// True only when it is certain: of this place, and gone or a zombie.
bool is_dead(const Process& process);

}  // namespace vsr::store
