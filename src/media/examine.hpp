// What has to be known of a film before its timeline can be made, however it is made then.
#pragma once

#include "picture_filter.hpp"
#include "scan.hpp"
#include "source_pictures.hpp"
#include "vsr/media/timeline.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vsr::media {

struct Examination {
  SourceScan scan;                  // pts without what does not decode at either end
  Rational time_base{1, 1};         // of scan.pts; where those are broken, one frame
  std::vector<Rational> declared;   // rates the container speaks of
  bool clockless = false;           // pictures without times of their own
  ColourDescription source_colour;  // resolved: tag, else the job's, else by size
  Rational source_sample_aspect{1, 1};
  // The graph, tried on the first pictures.
  std::optional<int> radius;  // see temporal_radius()
  bool one_to_one = true;     // as many pictures out as in, at the same times
  FilterOutput output;
  ColourDescription colour;  // of what comes out
  // Why pictures in the middle cannot be found exactly; empty: a few were tried and could.
  std::string not_enterable;
  std::vector<std::string> warnings;
};

// `progress` gets pictures seen so far. Throws as plan_timeline() does.
Examination examine(const SourceInfo& source,
                    const TimelineOptions& options,
                    const Progress& progress);

// The pictures of an examined film as SourcePictures wants them.
SourceNumbering numbering_of(const Examination& film);
FilterSettings filter_settings(const Examination& film, const TimelineOptions& options);

}  // namespace vsr::media
