#include "vsr/assemble/seams.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cmath>
#include <optional>

namespace vsr::assemble {

namespace {

const LumaSamples* find(const LumaByFrame& luma, std::int64_t frame) {
  const auto found = luma.find(frame);
  return found == luma.end() ? nullptr : &found->second;
}

// Collects mean squares.
class Mean {
 public:
  void add(const LumaSamples* a, const LumaSamples* b) {
    if (a == nullptr || b == nullptr) return;
    sum_ += mean_square_difference(*a, *b);
    ++count_;
  }

  std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return sum_ / count_;
  }

 private:
  double sum_ = 0;
  int count_ = 0;
};

double in_levels(double mean_square) { return 255 * std::sqrt(mean_square); }

}  // namespace

bool may_be_seen(const Seam& seam) {
  return seam.likeness_db && *seam.likeness_db < kLeastLikeness_db &&
         seam.step_ratio() > kMostStepRatio;
}

Seam measure_seam(std::int64_t frame, const LumaByFrame& before, const LumaByFrame& behind) {
  const LumaSamples* last = find(before, frame - 1);
  const LumaSamples* first = find(behind, frame);
  if (last == nullptr || first == nullptr) {
    throw Error(ErrorCode::kInternal, format("no luma of the seam at frame {}", frame));
  }
  Seam seam;
  seam.frame = frame;
  seam.step = in_levels(mean_square_difference(*last, *first));
  for (const auto& [number, luma] : before) {
    const LumaSamples* other = find(behind, number);
    if (other == nullptr) continue;
    seam.doubled.emplace_back(number, psnr_db(mean_square_difference(luma, *other)));
  }
  Mean apart;
  apart.add(last, find(behind, frame - 1));
  apart.add(find(before, frame), first);
  if (const auto mean_square = apart.value()) seam.likeness_db = psnr_db(*mean_square);
  Mean across;
  across.add(last, find(before, frame));
  across.add(find(behind, frame - 1), first);
  Mean beside;
  beside.add(find(before, frame - 2), last);
  beside.add(first, find(behind, frame + 1));
  seam.usual_step = in_levels(across.value().value_or(beside.value().value_or(0)));
  return seam;
}

}  // namespace vsr::assemble
