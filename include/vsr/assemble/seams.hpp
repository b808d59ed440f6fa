// Where two segments meet: how much they differ there, and whether an eye finds it. Arithmetic
// over what their records keep; no file is opened.
//
// The frames of the overlap exist twice, once in each segment: how far the two are apart tells how
// far the picture jumps for want of context. Whether that is seen depends on how far it moves
// there anyhow.
#pragma once

#include "vsr/base/luma_samples.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace vsr::assemble {

struct Seam {
  std::int64_t frame = 0;  // the first one that is shown of the segment behind
  // The frames that both segments have, in order, and how alike theirs are (PSNR of the luma, dB).
  // Empty without an overlap.
  std::vector<std::pair<std::int64_t, double>> doubled;
  // Of the two frames beside the seam together; unset where none exists twice.
  std::optional<double> likeness_db;
  // Root mean square of what changes from the last frame of the segment before to the first of the
  // segment behind, as shown; in 255ths of full scale.
  double step = 0;
  // The same between two frames of one segment: across the seam where frames exist twice, else
  // beside it.
  double usual_step = 0;

  double step_ratio() const { return usual_step > 0 ? step / usual_step : 1; }
};

// A seam may be seen where both are passed. Measured (docs/performance.md, "Seams"): with an
// overlap of 1 or 2 frames segments are 36 to 39 dB alike where the film moves little, and
// steps 1.07 to 1.11; with 4 frames 40 to 42 dB and 1.04 to 1.06; with 8 from 47 dB on and at
// most 1.02. 42 dB are two of 255 levels; with a step of 1.06 the seam's part of what changes is an
// eighth of the motion's, by energy. Where a film moves a lot, steps are 1.00 whatever the seam.
inline constexpr double kLeastLikeness_db = 42;
inline constexpr double kMostStepRatio = 1.06;

// Without frames that exist twice it cannot be told: false.
bool may_be_seen(const Seam& seam);

// `before`, `behind`: luma of the two segments that meet at `frame`, of job's seam_frames() at
// least. Throws Error(kInternal) where the frames that are shown beside the seam are missing.
Seam measure_seam(std::int64_t frame, const LumaByFrame& before, const LumaByFrame& behind);

}  // namespace vsr::assemble
