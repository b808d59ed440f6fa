// What `vsr-dist qc` says of two films: figures of all frames, and how they are printed.
// docs/qc.md has the JSON document's fields and the table's columns.
#pragma once

#include "two_films.hpp"
#include "vsr/base/picture_quality.hpp"
#include "vsr/media/film_comparison.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// Of one figure over all frames. Infinite stands for frames that are identical.
struct Spread {
  double mean = 0;  // of the finite ones; infinite when there is none
  double least = 0;
  double percentile_1 = 0;  // as many percent of the frames have no more (nearest rank)
  double percentile_5 = 0;
};

// Infinities count as the highest. REQUIRES: no value is not a number; at least one value.
Spread spread_of(std::vector<double> values);

// Of a plane, or of all planes together.
struct PlaneSummary {
  std::string name;      // Y, U, V; R, G, B; all
  double psnr = 0;       // of the mean square error of all frames
  Spread psnr_of_frame;  // of the frames' own
  std::optional<Spread> ssim;
};

struct QcSummary {
  std::vector<PlaneSummary> planes;  // "all" last, also where there is but one plane
  bool identical = false;
  std::int64_t identical_frames = 0;
  std::vector<std::size_t> worst;  // pairs with the least PSNR of all planes, the least first
};

// REQUIRES: at least one pair.
QcSummary summarise(const std::vector<media::PairQuality>& pairs, const PictureFormat& format);

// All there is to print of one comparison.
struct QcReport {
  const TwoFilms& films;
  const FilmsPaired& paired;
  const media::FilmsCompared& compared;
  const QcSummary& summary;
  std::optional<double> bound_db;

  // Whether the PSNR of all frames and planes reaches the bound; nothing without one.
  std::optional<bool> passed() const;
};

std::string print_text(const QcReport& report);
std::string print_json(const QcReport& report);
std::string print_csv(const QcReport& report);

}  // namespace vsr::launcher
