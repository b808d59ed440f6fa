// Sound at another speed: with its pitch kept (pitchOK) or going with the speed (pitchLOW).
#pragma once

#include "media/av.hpp"
#include "sound_source.hpp"
#include "vsr/job/job.hpp"

#include <functional>
#include <memory>

namespace vsr::assemble {

class SoundRetimer {
 public:
  // Interleaved or planar samples as `to` and `sample_format` say, without timestamps.
  using Sink = std::function<void(const AVFrame&)>;

  virtual ~SoundRetimer() = default;
  virtual void take(const AVFrame& frame) = 0;
  virtual void finish() = 0;
};

// From planar float in `from` to `sample_format` in `to`, played at `speed` (24/25: slower,
// longer).
//  kPitchOk   atempo: overlapping pieces of the sound are laid closer or wider; pitch stays.
//  kPitchLow  resampling alone, exact to the sample: pitch changes by the speed, as on film.
// What comes out begins with what went in first; its length is right to within 0.1 s.
std::unique_ptr<SoundRetimer> make_retimer(AudioVariant variant,
                                           const Rational& speed,
                                           const SoundFormat& from,
                                           const SoundFormat& to,
                                           AVSampleFormat sample_format,
                                           SoundRetimer::Sink sink);

// The tempo filters for a speed: each takes 0.5 to 2, so others are made of several.
std::string tempo_filters(const Rational& speed);

}  // namespace vsr::assemble
