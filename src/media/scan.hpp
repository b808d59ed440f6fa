// One pass over the packets of a film's video stream, nothing decoded: when each picture is shown,
// and where decoding can start.
#pragma once

#include "picture_decoder.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vsr::media {

struct SourceScan {
  // Pictures that are to be shown, decodable or not; also where their times are unknown.
  std::int64_t pictures = 0;
  // Their presentation times, ascending, and which of them decoding can start at. Empty when
  // `broken` says why the times cannot be trusted.
  std::vector<std::int64_t> pts;
  std::vector<std::int64_t> keys;  // indices into pts
  std::string broken;
  // How long the last picture is shown, in ticks; 0: unknown.
  std::int64_t last_duration = 0;
  // By how many ticks FFmpeg shows all pictures late where it had to work all times out from the
  // order of decoding (AVI): sound does not wait for that.
  std::int64_t late = 0;
  // First other picture size met, and at which picture (in the order of decoding); width 0: none.
  int other_width = 0;
  int other_height = 0;
  std::int64_t other_at = 0;
  // What the container promises beyond the last picture, if the file ends early; else 0.
  double missing_s = 0;
};

// Gets a number of pictures and returns false to stop; may be empty.
using Progress = std::function<bool(std::int64_t)>;

// Throws Error(kInterrupted) when `progress` wants to stop.
void heed(const Progress& progress, std::int64_t pictures);

// Reads `decoder`'s file from its start to its end, and leaves it there. `progress` gets the
// pictures so far.
// Throws Error(kInput) when there are no pictures at all, Error(kInterrupted) as heed().
SourceScan scan_source(PictureDecoder& decoder, const Progress& progress);

}  // namespace vsr::media
