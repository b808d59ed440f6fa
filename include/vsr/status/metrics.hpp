// A run's status for Prometheus. docs/status.md has the list.
#pragma once

#include "vsr/status/run_status.hpp"

#include <cstdint>
#include <string>

namespace vsr::status {

class Metrics {
 public:
  // Text of Prometheus' exposition format 0.0.4. What is not known is left out.
  // Counters do not fall as long as this object lives, since a fall would be taken for a new start:
  // frames that a failed attempt had are counted once more only when it has been overtaken.
  std::string text(const RunStatus& status);

 private:
  std::int64_t frames_upscaled_ = 0;
  std::int64_t frames_encoded_ = 0;
  std::int64_t frames_measured_ = 0;
  double bytes_written_ = 0;
};

}  // namespace vsr::status
