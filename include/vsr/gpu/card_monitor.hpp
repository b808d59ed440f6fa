// What the driver tells of a card while it works: memory and load, by NVML. That library comes with
// the driver, is looked for at run time, and nothing depends on it: whatever is not told is
// unknown, and why is said once at debug level.
#pragma once

#include <memory>
#include <string>

namespace vsr::gpu {

struct CardReading {
  // Bytes of the whole card, whoever has them; -1: unknown.
  double memory_used = -1;
  double memory = -1;
  double load = -1;  // 0..1, the part of the last second or so in which a kernel ran; -1: unknown
};

// Threads: one at a time.
class CardMonitor {
 public:
  // `card`: DeviceInfo::id. Never throws for what is missing.
  explicit CardMonitor(std::string card, const std::string& library = "libnvidia-ml.so.1");
  ~CardMonitor();
  CardMonitor(const CardMonitor&) = delete;
  CardMonitor& operator=(const CardMonitor&) = delete;

  CardReading read();

 private:
  struct Library;
  std::unique_ptr<Library> library_;  // null: nothing is known
};

}  // namespace vsr::gpu
