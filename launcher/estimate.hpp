// How long a run's two stages take together, which of them limits, and what would make it shorter.
// Arithmetic and its words; what is measured comes from elsewhere.
#pragma once

#include <cstdint>
#include <string>

namespace vsr::launcher {

// Of one stage: what is left of it, and how fast it goes.
struct Stage {
  std::int64_t frames = 0;
  double fps = 0;  // of all workers together; 0: not known
  int pieces = 0;  // that the frames come in: no more workers than that have work
  int workers = 1;

  // 0 for nothing; REQUIRES: fps is known, or no frames.
  double seconds() const;
};

enum class Order {
  kBeside,      // encoders work while segments are upscaled
  kSameCores,   // likewise, but on the cores that upscale
  kAfterwards,  // the film is encoded when all is upscaled
};

struct Estimate {
  Stage upscaling;
  Stage encoding;
  Order order = Order::kBeside;
  int gpus = 0;             // that upscale; 0: the processors do
  int cores = 0;            // that encode
  double core_s_frame = 0;  // of these, for a frame; 0: it is not cores that encode

  // What is known of the whole.
  double seconds() const;
};

// "about 21 h in all, limited by the encoders: with 16 more cores about 10 h 30 min; with about 480
// cores or more upscaling would be the limit". Says which stage is not known, should one be.
std::string whole_text(const Estimate& estimate);

}  // namespace vsr::launcher
