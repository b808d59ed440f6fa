// A card's load and memory, as they were read last. A driver that hangs keeps nobody waiting.
#pragma once

#include "vsr/gpu/card_monitor.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace vsr::launcher {

// Threads: any; one of its own reads, twice a second.
class CardWatch {
 public:
  explicit CardWatch(const std::string& card);  // DeviceInfo::id
  // `read` may take as long as it likes, and is called by the own thread alone.
  explicit CardWatch(std::function<gpu::CardReading()> read);
  // Does not wait for a reading that hangs: its thread is left behind.
  ~CardWatch();
  CardWatch(const CardWatch&) = delete;
  CardWatch& operator=(const CardWatch&) = delete;

  // Unknown before the first reading, and while none comes any more.
  gpu::CardReading now() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace vsr::launcher
