// One track of the source on its way into every file of the film.
#pragma once

#include "media/av.hpp"
#include "output_file.hpp"
#include "retiming.hpp"
#include "sound_encoder.hpp"
#include "vsr/assemble/assemble.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vsr::assemble {

// A file of the film and the sound it gets.
struct FilmFile {
  AudioVariant variant = AudioVariant::kPitchOk;
  std::unique_ptr<OutputFile> file;
};

// What every track has to know of the film.
struct FilmTimes {
  Retiming retiming;
  Rational source_length_s;  // of the picture, on the source's clock
  bool partial = false;      // then nothing may reach past the picture
};

class Track {
 public:
  virtual ~Track() = default;
  // A packet of the track; times in the stream's time base, or absent.
  virtual void take(const AVPacket& packet) = 0;
  // Source seconds from the start up to which the track needs nothing more; a huge number for
  // tracks that never wait.
  virtual double ahead_s() const = 0;
  // Nothing will come any more for the time before `source_s`.
  virtual void fill_until(double source_s) = 0;
  // The end; adds what the user should know.
  virtual void finish(std::vector<std::string>& warnings) = 0;
};

// "sound track 1 (ac3, de)": how messages name a stream, counted within its kind from 0.
std::string track_name(const AVStream& stream, int number);

// What a sound track is, as far as its header says; rate 0: it does not say.
SoundFormat sound_format(const AVStream& stream);

// Sound at an unchanged speed, in a codec Matroska can hold: its packets are copied.
bool copies_sound(const AVStream& stream, const Retiming& retiming);

// Adds a stream to every file. `name` for messages.
std::unique_ptr<Track> make_copied_sound(const AVStream& stream,
                                         const std::string& name,
                                         const FilmTimes& times,
                                         const std::vector<FilmFile>& files);
// Throws Error(kInput) if the track cannot be decoded here, Error(kUsage) if it cannot be encoded.
std::unique_ptr<Track> make_retimed_sound(const AVStream& stream,
                                          const std::string& name,
                                          const FilmTimes& times,
                                          const SoundPlan& plan,
                                          const std::vector<FilmFile>& files);
// Null, with a warning, for subtitles that Matroska cannot hold and that are no text.
std::unique_ptr<Track> make_subtitles(const AVStream& stream,
                                      const std::string& name,
                                      const FilmTimes& times,
                                      const std::vector<FilmFile>& files,
                                      std::vector<std::string>& warnings);

}  // namespace vsr::assemble
