// Two films on the command line (qc, compare): opened, brought to one form, their frames paired.
#pragma once

#include "arguments.hpp"
#include "vsr/base/frame_range.hpp"
#include "vsr/media/common_form.hpp"
#include "vsr/media/film_pairs.hpp"
#include "vsr/media/timeline.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

struct OpenFilm {
  media::SourceInfo source;
  media::PictureForm form;   // of the timeline's pictures
  media::Timeline timeline;  // read from the film itself

  media::FilmLength length() const { return {timeline.frames(), timeline.rate}; }
};

struct TwoFilms {
  OpenFilm a;
  OpenFilm b;
  std::vector<std::string> warnings;
};

// Sets both films' forms from what they are.
using ChooseForms = std::function<void(OpenFilm&, OpenFilm&)>;
// Whether to end.
using Stopped = std::function<bool()>;

// Throws Error(kInput) for what is no film, Error(kInterrupted).
TwoFilms open_two_films(const Arguments& arguments,
                        const ChooseForms& choose_forms,
                        const Stopped& stopped);

struct FilmsPaired {
  media::Pairing pairing;
  FrameRange of_a;  // asked for by start and duration
  std::int64_t offset = 0;
  std::string how;   // the offset was told
  bool told = true;  // false: it could not be, and 0 was taken
  media::FramePairs pairs;
};

// By align, offset, start, duration. Throws Error(kUsage) for words of these that are none, and
// where no frames pair; Error(kInterrupted).
FilmsPaired pair_films(const Arguments& arguments, const TwoFilms& films, const Stopped& stopped);

// The frame that is shown at a time ("90", "1:30", "0:01:30.5"), or "#1234". Throws Error(kUsage)
// naming the option, also when it lies behind the film.
std::int64_t frame_at(const char* option, const std::string& text, const media::FilmLength& film);

// For a file that a command is to write: refuses one that is there, unless `force`, and whatever is
// no regular file or one of the films. Throws Error(kUsage).
void check_output(const std::string& output, const Arguments& arguments);

// What A and B are and how they were paired, a line each.
std::string describe(const TwoFilms& films, const FilmsPaired& paired);

}  // namespace vsr::launcher
