#include "source_pictures.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <utility>

namespace vsr::media {

namespace {

constexpr std::int64_t kMostReplaced = 50;
constexpr std::int64_t kMostReplacedShare = 20;  // one in so many
constexpr std::int64_t kMostLogged = 5;

}  // namespace

SourcePictures::SourcePictures(PictureDecoder& decoder, SourceNumbering numbering, bool quiet)
    : decoder_(decoder), numbering_(std::move(numbering)), quiet_(quiet) {
  if (!numbering_.pts.empty()) {
    numbering_.pictures = static_cast<std::int64_t>(numbering_.pts.size());
  }
  for (const std::int64_t point : numbering_.seek_points) {
    key_pts_.push_back(numbering_.pts[static_cast<std::size_t>(point)]);
  }
}

std::string SourcePictures::place(std::int64_t number, bool path) const {
  const std::string before = path ? decoder_.input().path + ": " : std::string();
  if (numbering_.pts.empty()) return format("{}picture {}", before, number);
  const auto i = static_cast<std::size_t>(number);
  const double at_s =
      static_cast<double>(numbering_.pts[i] - numbering_.pts[0]) * numbering_.time_base.to_double();
  return format("{}picture {} (at {:.2f} s)", before, number, at_s);
}

// The next picture that belongs to the plan, in order; null at the end.
FramePtr SourcePictures::decode(std::int64_t& number) {
  while (FramePtr frame = decoder_.next()) {
    if (numbering_.pts.empty()) {
      number = counted_++;
    } else {
      const auto found = std::lower_bound(numbering_.pts.begin(), numbering_.pts.end(), frame->pts);
      if (found == numbering_.pts.end() || *found != frame->pts) continue;  // not in the plan
      number = found - numbering_.pts.begin();
      if (number < std::max(least_, expected_)) continue;  // out of order, or before the entry
    }
    if (is_damaged(*frame)) {
      faults_[number] = PictureFault::kDamaged;
      if (++damaged_ <= kMostLogged && !quiet_) {
        log::warning("media", "{} is damaged; shown as far as it decodes", place(number));
      }
    }
    return frame;
  }
  return nullptr;
}

// Whether decoding from that key picture on reaches `first` with a picture for it or before it.
bool SourcePictures::enter_at(std::int64_t key, std::int64_t first) {
  last_.reset();
  faults_.clear();
  ended_ = false;
  counted_ = 0;
  expected_ = 0;
  least_ = key < 0 ? 0 : numbering_.seek_points[static_cast<std::size_t>(key)];
  decoder_.enter(key_pts_, key);
  entered_slowly_ = entered_slowly_ || decoder_.entered_slowly();
  pending_ = decode(pending_number_);
  if (key < 0) {  // whatever is missing at the start is shown as the first picture there is
    expected_ = 0;
    return true;
  }
  if (!pending_ || pending_number_ > first) return false;
  expected_ = pending_number_;
  return true;
}

void SourcePictures::start(std::int64_t first, std::int64_t keys_early) {
  entered_slowly_ = false;
  const auto& points = numbering_.seek_points;
  const std::int64_t after = std::upper_bound(points.begin(), points.end(), first) - points.begin();
  // after - 1 is the key picture at or before `first`; the one before it is a safe place.
  for (std::int64_t back = keys_early;; back *= 2) {
    const std::int64_t key = after - back;
    if (enter_at(key <= 0 ? -1 : key, first)) return;
  }
}

void SourcePictures::start_over() { enter_at(-1, 0); }

// At the end of the file: whether `expected_`, which has not come, was there to be decoded.
void SourcePictures::check_reached() const {
  const bool reached =
      numbering_.pts.empty()
          ? decoder_.packets() >= numbering_.packets
          : decoder_.greatest_pts() >= numbering_.pts[static_cast<std::size_t>(expected_)];
  if (reached) return;
  throw Error(ErrorCode::kInput,
              format("{} is not there: the file ends before it, and did not when the film was "
                     "planned; put the planned film back, or start over",
                     place(expected_)));
}

void SourcePictures::note_replaced() {
  if (decoder_.damage() == Damage::kRefuse) {
    throw Error(ErrorCode::kInput, format("{} is missing", place(expected_)));
  }
  ++replaced_;
  faults_[expected_] = last_ ? PictureFault::kShownAsBefore : PictureFault::kShownAsAfter;
  if (quiet_) return;
  if (replaced_ <= kMostLogged) {
    log::warning("media",
                 "{} does not decode; the picture {} it is shown in its place{}",
                 place(expected_),
                 last_ ? "before" : "after",
                 replaced_ == kMostLogged ? "; further ones are not listed" : "");
  }
  if (replaced_ > std::max(kMostReplaced, passed_ / kMostReplacedShare)) {
    throw Error(
        ErrorCode::kInput,
        format("{}: {} of the {} pictures up to here do not decode: the film is damaged, or "
               "has changed since it was planned; leave the place out by input.start and "
               "input.end, or repair the film",
               place(expected_),
               replaced_,
               passed_));
  }
}

FramePtr SourcePictures::next() {
  if (!pending_ && !ended_) pending_ = decode(pending_number_);
  if (!pending_) ended_ = true;
  const bool counting = numbering_.pts.empty();
  if (ended_ && (counting || expected_ < numbering_.pictures)) check_reached();
  if (expected_ >= numbering_.pictures && (ended_ || !counting)) return nullptr;
  ++passed_;
  FramePtr frame;
  if (pending_ && pending_number_ == expected_) {
    frame = std::move(pending_);
    last_.reset(av_frame_clone(frame.get()));
  } else {
    note_replaced();
    const AVFrame* stand_in = last_ ? last_.get() : pending_.get();
    if (stand_in == nullptr) {
      throw Error(ErrorCode::kInput,
                  format("{}: no picture can be decoded", decoder_.input().path));
    }
    frame.reset(av_frame_clone(stand_in));
  }
  if (!frame || (!last_ && !pending_)) throw Error(ErrorCode::kInternal, "out of memory");
  frame->pts =
      numbering_.pts.empty() ? expected_ : numbering_.pts[static_cast<std::size_t>(expected_)];
  ++expected_;
  return frame;
}

}  // namespace vsr::media
