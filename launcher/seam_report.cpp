#include "seam_report.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <cstddef>

namespace vsr::launcher {

namespace {

constexpr std::size_t kMostListed = 10;

std::string warning_of(const assemble::Seam& seam, int segment) {
  return format(
      "frame {}, where segment {} begins: the seam may be seen; what both segments made "
      "of it has a likeness of {:.1f} dB (higher is more alike), and the picture changes {:.2f} "
      "times as much as it moves ({:.1f} of 255 levels)",
      seam.frame,
      segment,
      seam.likeness_db.value_or(0),
      seam.step_ratio(),
      seam.step);
}

std::string figures_of(const assemble::Seam& seam) {
  std::string line = format("seam at frame {}: step {:.2f}, usual {:.2f} of 255 levels",
                            seam.frame,
                            seam.step,
                            seam.usual_step);
  if (seam.likeness_db) line += format("; {:.1f} dB, by frame", *seam.likeness_db);
  for (const auto& [frame, db] : seam.doubled) line += format(" {}: {:.1f}", frame, db);
  return line;
}

}  // namespace

SeamReport report_seams(const std::map<int, assemble::Seam>& seams) {
  SeamReport report;
  std::size_t seen = 0;
  for (const auto& [segment, seam] : seams) {
    report.figures.push_back(figures_of(seam));
    if (!assemble::may_be_seen(seam)) continue;
    if (++seen <= kMostListed) report.warnings.push_back(warning_of(seam, segment));
  }
  if (seen > kMostListed) {
    report.warnings.push_back(format("and {} more seams that may be seen", seen - kMostListed));
  }
  if (seen > 0) report.warnings.back() += "; a larger stream.overlap makes them smaller";
  if (seams.empty()) return report;
  const assemble::Seam& worst = std::ranges::min_element(seams, {}, [](const auto& seam) {
                                  return seam.second.likeness_db;
                                })->second;
  if (worst.likeness_db) {
    report.summary = format(
        "segments meet in {} place{}, of which {} may be seen; the lowest likeness of both "
        "is {:.1f} dB, at frame {} (higher is more alike)",
        seams.size(),
        seams.size() == 1 ? "" : "s",
        seen,
        *worst.likeness_db,
        worst.frame);
  } else {
    report.summary = format(
        "where segments meet (in {} places) nothing can be judged: with stream.overlap = 0 "
        "no frame is upscaled twice",
        seams.size());
  }
  return report;
}

}  // namespace vsr::launcher
