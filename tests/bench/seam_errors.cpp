#include "seam_errors.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>

namespace vsr::bench {

namespace {

constexpr int kSeamPixels = 4;  // on either side

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// Where a sample of an axis lies.
struct Zone {
  bool seam = false;
  bool behind = false;  // the first behind a middle
};

std::vector<Zone> zones_of(const TileAxis& axis, int scale) {
  std::vector<Zone> zones(to_size(std::int64_t{axis.length()} * scale));
  for (int i = 1; i < axis.count(); ++i) {
    const int middle = (axis.begin(i) + axis.begin(i - 1) + axis.tile()) * scale / 2;
    const int reach = kSeamPixels * scale;
    const auto at = zones.begin() + middle;
    std::for_each(at - reach, at + reach, [](Zone& zone) { zone.seam = true; });
    at->behind = true;
  }
  return zones;
}

double cut_off(float value) { return static_cast<double>(std::clamp(value, 0.0f, 1.0f)); }

SeamErrors errors_of(const Picture& tiled,
                     const Picture& whole,
                     const std::vector<Zone>& across,
                     const std::vector<Zone>& down) {
  const auto error_at = [&](std::size_t i) { return cut_off(tiled[i]) - cut_off(whole[i]); };
  SeamErrors errors;
  std::size_t i = 0;
  while (i < whole.size()) {
    for (const Zone& row : down) {
      for (const Zone& column : across) {
        const double error = error_at(i);
        errors.all.add(error);
        if (row.seam || column.seam) errors.seam.add(error);
        if (column.behind) errors.step.add(error - error_at(i - 1));
        if (row.behind) errors.step.add(error - error_at(i - across.size()));
        ++i;
      }
    }
  }
  return errors;
}

}  // namespace

std::optional<double> SquaredErrors::psnr_db() const {
  if (sum == 0) return std::nullopt;
  return 10 * std::log10(count / sum);
}

SeamErrors seam_errors(const std::vector<Picture>& tiled,
                       const std::vector<Picture>& whole,
                       const Tiling& tiling,
                       int scale) {
  const std::vector<Zone> across = zones_of(tiling.across, scale);
  const std::vector<Zone> down = zones_of(tiling.down, scale);
  std::vector<std::future<SeamErrors>> frames;
  for (std::size_t t = 0; t < whole.size(); ++t) {
    frames.push_back(std::async(std::launch::async,
                                errors_of,
                                std::cref(tiled[t]),
                                std::cref(whole[t]),
                                std::cref(across),
                                std::cref(down)));
  }
  SeamErrors errors;
  for (auto& frame : frames) {
    const SeamErrors of_frame = frame.get();
    errors.all.add(of_frame.all);
    errors.seam.add(of_frame.seam);
    errors.step.add(of_frame.step);
    if (of_frame.all.sum > errors.worst_frame.sum) errors.worst_frame = of_frame.all;
  }
  return errors;
}

}  // namespace vsr::bench
