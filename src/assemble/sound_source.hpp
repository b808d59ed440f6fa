// A sound track of the source as one unbroken run of samples that begins with the picture: decoded,
// brought to one rate and layout, leading silence added or sound before the picture cut off, holes
// filled with silence, overlaps dropped. So counting samples is all the timing that later stages
// need.
#pragma once

#include "media/av.hpp"
#include "retiming.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vsr::assemble {

// Planar float samples at one rate and layout.
struct SoundFormat {
  int rate = 0;
  AVChannelLayout layout{};  // of a standard order: owns nothing
};

class SoundSource {
 public:
  using Sink = std::function<void(const AVFrame&)>;

  // `most_samples`: sound after that many samples from the start is not wanted.
  // Throws Error(kInput) when the track cannot be decoded here.
  SoundSource(const AVStream& stream,
              const SoundFormat& format,
              const Retiming& retiming,
              std::int64_t most_samples,
              Sink sink);
  ~SoundSource();

  // A packet of the track, times in the stream's time base.
  void take(const AVPacket& packet);
  // Nothing will come any more that is to be heard before `sample`: silence up to there.
  void fill_until(std::int64_t sample);
  // The end of the source.
  void finish();

  // Samples given to the sink so far; the next one's place on the source's clock from the start.
  std::int64_t given() const { return given_; }

  // Where the last sound (not silence put in here) ended.
  std::int64_t last_sound() const { return last_sound_; }

  std::int64_t silence_samples() const { return silence_; }  // put into holes between sounds

  std::int64_t damaged_packets() const { return damaged_; }

  bool full() const { return given_ >= most_; }

 private:
  void receive();
  void place(AVFrame& decoded);
  void convert(const AVFrame& decoded);
  void emit_silence(std::int64_t samples);
  void emit(const AVFrame& frame, std::int64_t skip);
  bool same_as_last(const AVFrame& frame) const;

  const AVRational time_base_;
  const SoundFormat format_;
  const Retiming retiming_;
  const std::int64_t most_;
  const Sink sink_;
  media::CodecPtr decoder_;
  media::FramePtr decoded_;
  media::FramePtr converted_;
  media::FramePtr silence_frame_;
  media::AvPtr<SwrContext> converter_;
  media::FramePtr converter_input_;  // format, layout and rate the converter was made for
  std::int64_t given_ = 0;
  std::int64_t last_sound_ = 0;
  std::int64_t silence_ = 0;
  std::int64_t damaged_ = 0;
  bool started_ = false;
};

}  // namespace vsr::assemble
