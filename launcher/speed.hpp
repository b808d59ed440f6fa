// How fast this machine is: at the network by a short window, at the final encode by a few pictures
// of the film. For estimates.
#pragma once

#include "vsr/assemble/assemble.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"

#include <atomic>
#include <cstdint>

namespace vsr::launcher {

// GFLOP a second of the network on the device and in the precision of `options`, over a few small
// made-up frames. Takes a second or two. An estimate: a GPU does better on larger pictures.
double measure_gflop_per_s(const model::Checkpoint& checkpoint,
                           const model::UpscalerOptions& options);

struct EncodeSpeed {
  std::int64_t frames = 0;  // that the figures stand on; 0: no encoder gave one back in time
  double core_s_frame = 0;  // processor time for a frame, scaling and encoding
  double fps = 0;           // of the encoders together, by the clock
};

// Pictures of the film from as many places, spread over it, as there are encoders at once (the
// middle, for one), enlarged by Lanczos in the network's place, then scaled and encoded by `spec`'s
// options and threads. Takes about ten seconds, the time of the first three pictures if that is
// more, half a minute at most. What the encoder holds back counts: it is ended, and what it took
// until its last packet is shared out. Throws Error where the film cannot be read or not be
// encoded, kInterrupted when `stop` asks to end.
EncodeSpeed measure_encode(const assemble::AssembleSpec& spec,
                           const media::Timeline& timeline,
                           int at_once,
                           const std::atomic<int>& stop);

}  // namespace vsr::launcher
