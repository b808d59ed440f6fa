// What each frame of a segment's core took of the stages. Private to the room.
#pragma once

#include "vsr/base/frame_measures.hpp"
#include "vsr/base/frame_range.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace vsr::pipeline {

// Threads: each function from one, its stage's; take() when all are done. Frames outside of the
// core are passed over.
class FrameTimes {
 public:
  explicit FrameTimes(const FrameRange& core)
      : core_(core), decode_s_(list()), network_s_(list()), encode_s_(list()), waited_s_(list()) {}

  void decoded(std::int64_t frame, double seconds) { set(decode_s_, frame, seconds); }

  // A window's time, over the frames that it gave.
  void upscaled(const FrameRange& given, double seconds) { windows_.push_back({given, seconds}); }

  // How long the encoder's thread waited for the device to be done with the frame.
  void waited(std::int64_t frame, double seconds) { set(waited_s_, frame, seconds); }

  void encoded(std::int64_t frame, double seconds) { set(encode_s_, frame, seconds); }

  // On a GPU the network's thread only queues, and waiting for the pictures tells how long the
  // device was at them: the longer of both is the least that a window took.
  void take(FrameMeasures& measures) {
    for (const auto& [given, seconds] : windows_) {
      double waited_s = 0;
      for (std::int64_t frame = given.begin; frame < given.end; ++frame) {
        if (core_.contains(frame)) waited_s += waited_s_[index(frame)];
      }
      const double each_s = std::max(seconds, waited_s) /
                            static_cast<double>(std::max<std::int64_t>(1, given.size()));
      for (std::int64_t frame = given.begin; frame < given.end; ++frame) {
        set(network_s_, frame, each_s);
      }
    }
    measures.decode_s = std::move(decode_s_);
    measures.network_s = std::move(network_s_);
    measures.encode_s = std::move(encode_s_);
  }

 private:
  std::vector<float> list() const {
    return std::vector<float>(static_cast<std::size_t>(core_.size()),
                              std::numeric_limits<float>::quiet_NaN());
  }

  std::size_t index(std::int64_t frame) const {
    return static_cast<std::size_t>(frame - core_.begin);
  }

  void set(std::vector<float>& values, std::int64_t frame, double seconds) {
    if (core_.contains(frame)) values[index(frame)] = static_cast<float>(seconds);
  }

  const FrameRange core_;
  std::vector<float> decode_s_;
  std::vector<float> network_s_;
  std::vector<float> encode_s_;
  std::vector<float> waited_s_;
  std::vector<std::pair<FrameRange, double>> windows_;
};

}  // namespace vsr::pipeline
