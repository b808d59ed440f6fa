// How long a polling thread sleeps between two looks. Private.
#pragma once

#include <chrono>
#include <thread>

namespace vsr::cluster {

inline void nap(bool files_on_their_way = false) {
  using namespace std::chrono_literals;
  std::this_thread::sleep_for(files_on_their_way ? 500us : 5ms);  // of files: somebody waits
}

}  // namespace vsr::cluster
