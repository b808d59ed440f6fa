// Sound and subtitles of the source, read in step with the picture, so that what waits for the
// picture in memory stays a few seconds.
#pragma once

#include "media/input.hpp"
#include "track.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vsr::assemble {

// A chosen stream and its number among those of its kind.
struct ChosenStream {
  int index = 0;
  int number = 0;
};

// Throws Error(kUsage) naming `key` when the list has a number the source has no stream for.
std::vector<ChosenStream> choose_streams(const AVFormatContext& source,
                                         AVMediaType type,
                                         const StreamChoice& choice,
                                         std::string_view key);

class SourceTracks {
 public:
  // Adds the chosen streams to every file. Tracks that cannot be used are left out with a warning.
  SourceTracks(media::Input& source,
               const AssembleSpec& spec,
               const FilmTimes& times,
               const std::vector<FilmFile>& files,
               std::vector<std::string>& warnings);

  // Reads until every track has what is heard or seen before `source_s`, in seconds from the
  // start on the source's clock. False at the end of the source (or of the part wanted).
  bool pump_until(double source_s);
  // After the last pump_until(): ends all tracks.
  void finish();

 private:
  // A track waits for sound at most this long, in seconds of the source read on meanwhile.
  static constexpr double kPatienceS = 10;

  void add_sound(const AssembleSpec& spec, const std::vector<FilmFile>& files);
  void add_subtitles(const AssembleSpec& spec, const std::vector<FilmFile>& files);
  bool read();
  void mend_times(AVPacket& packet);
  void seek_near_start();

  media::Input& source_;
  const FilmTimes times_;
  std::vector<std::string>& warnings_;
  std::vector<std::unique_ptr<Track>> tracks_;
  std::vector<Track*> by_stream_;  // null: not wanted
  media::PacketPtr packet_;
  double clock_s_ = 0;         // latest time seen of sound or picture
  std::int64_t shift_us_ = 0;  // see mend_times()
  std::int64_t last_us_ = AV_NOPTS_VALUE;
  bool ended_ = false;
};

}  // namespace vsr::assemble
