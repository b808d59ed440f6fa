// By how many frames one film runs ahead of another, found by looking at small pictures of both.
#pragma once

#include "vsr/base/picture.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vsr::media {

// Luma (of RGB the green) averaged over boxes, 1 being the highest value; row by row. As many boxes
// whatever the picture's size and shape: those of another shape are stretched to each other.
// `share_of_height`: of the rows in the middle, without what may be bars above and below; 0 to 1.
using Thumbnail = std::vector<float>;
Thumbnail make_thumbnail(const PictureView& picture, double share_of_height = 1);

// What a look at a stretch has told.
struct ShiftFound {
  std::optional<std::int64_t> shift;
  bool moves = true;  // false: the stretch stands still, so that nothing can be told
};

// The shift d, from -most to most, with which a[k] is most like b[partner[k] + d]. Compared is what
// changes in time, place by place, so neither a picture that stands behind the motion, nor another
// brightness or contrast matters. Nothing when the stretch hardly moves, when too little overlaps,
// or when another shift does nearly as well (motion that repeats itself, other films).
// Throws Error(kInternal) where thumbnails are not of one size.
ShiftFound find_shift(std::span<const Thumbnail> a,
                      std::span<const Thumbnail> b,
                      std::span<const std::int64_t> partner,
                      std::int64_t most);

// From pair `pair` on the films fit better with `shift` than as they were paired.
struct ShiftChange {
  std::int64_t pair = 0;
  int shift = 0;
};

// Watches pairs go by for a frame that was dropped or doubled on the way: after that, frames fit
// their partner's neighbour better. Told only of pictures that differ from their neighbours, at
// least four of them in a row, and of shifts up to three frames at once; follows as far as eight.
class ShiftWatch {
 public:
  static constexpr int kFarthest = 8;

  // Pair after pair. Throws Error(kInternal) where thumbnails are not of one size.
  void add(Thumbnail a, Thumbnail b);
  // After the last pair: what is said of the last ones is told too.
  void finish();

  const std::vector<ShiftChange>& changes() const { return changes_; }

 private:
  void judge(std::int64_t pair);
  const Thumbnail& a_at(std::int64_t pair) const;
  const Thumbnail& b_at(std::int64_t pair) const;

  std::deque<Thumbnail> a_;  // the last ones
  std::deque<Thumbnail> b_;
  std::int64_t added_ = 0;
  int shift_ = 0;      // in force
  int candidate_ = 0;  // fits better now
  int run_ = 0;        // for so many telling pictures
  std::int64_t run_begin_ = 0;
  std::vector<ShiftChange> changes_;
};

}  // namespace vsr::media
