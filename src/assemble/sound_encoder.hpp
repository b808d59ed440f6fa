// A retimed sound track into packets of the final codec, in one file.
#pragma once

#include "media/av.hpp"
#include "output_file.hpp"
#include "sound_source.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vsr::assemble {

// What the encoder makes of a source track.
struct SoundPlan {
  const AVCodec* codec = nullptr;
  SoundFormat format;  // rate and layout that the encoder takes and that suit the source best
  AVSampleFormat sample_format = AV_SAMPLE_FMT_NONE;
  std::int64_t bit_rate = 0;
  std::vector<std::string> warnings;  // fewer channels than the source has
};

// Throws Error(kUsage) naming final.audio_codec when there is no such encoder, or Matroska cannot
// hold what it makes.
const AVCodec& find_sound_encoder(const std::string& codec);
// Throws as find_sound_encoder(). `name` says which track, for the messages.
SoundPlan plan_sound(const std::string& codec,
                     std::int64_t bit_rate,
                     const SoundFormat& source,
                     const std::string& name);
// Throws Error(kUsage) when the encoder refuses bit rate or layout.
media::CodecPtr open_sound_encoder(const SoundPlan& plan);

class SoundEncoder {
 public:
  // Describes `stream` of `file`. The file must outlive this.
  SoundEncoder(const SoundPlan& plan, OutputFile& file, AVStream& stream);

  // The next samples, in the plan's format. The first one is heard as the picture starts.
  void take(const AVFrame& frame);
  // Ends the track at exactly `samples` from the picture's start, cutting or adding silence (the
  // codec's last frame may be longer by its padding).
  void finish(std::int64_t samples);

 private:
  void encode(int samples);
  void add_silence(std::int64_t samples);
  void pass_on();

  OutputFile& file_;
  const int stream_;
  media::CodecPtr encoder_;
  media::AvPtr<AVAudioFifo> waiting_;
  int frame_samples_;
  std::int64_t taken_ = 0;
  std::int64_t to_skip_;   // see the constructor
  std::int64_t position_;  // of the first waiting sample
};

}  // namespace vsr::assemble
