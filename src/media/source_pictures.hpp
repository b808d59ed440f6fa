// Decoded pictures of a film by number: which of the planned pictures each one is, and what stands
// in for those that do not decode.
#pragma once

#include "picture_decoder.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vsr::media {

struct SourceNumbering {
  // As in Timeline. No pts: pictures are counted as they come.
  std::vector<std::int64_t> pts;
  std::vector<std::int64_t> seek_points;
  Rational time_base{1, 1};
  // Counting only: how many are planned. As many as decode are delivered, but at least these.
  std::int64_t pictures = 0;
  // Counting only: packets that the film is known to have; one that ends before has been cut.
  std::int64_t packets = 0;
};

// What the film has in a picture's place, where that is not the picture as it was made.
enum class PictureFault { kShownAsBefore, kShownAsAfter, kDamaged };

class SourcePictures {
 public:
  // `decoder` outlives this. `quiet`: a trial, which neither logs nor gives up.
  SourcePictures(PictureDecoder& decoder, SourceNumbering numbering, bool quiet = false);

  // The next picture from next() will be number `first` or one before it, decoded well. Starts two
  // key pictures early (`keys_early`), at the film's start if need be.
  // REQUIRES: 0 <= first < number of pictures.
  void start(std::int64_t first, std::int64_t keys_early = 2);
  // From the film's first picture.
  void start_over();

  // In order without a gap; frame->pts is the planned time (the number itself when counting). Null
  // after the last. Throws Error(kInput) when too many do not decode (with Damage::kRefuse: any),
  // or when the file ends before the pictures that were planned.
  FramePtr next();

  // The number of the picture that next() gave last.
  std::int64_t number() const { return expected_ - 1; }

  // Pictures shown in place of ones that did not decode; and those the decoder calls damaged.
  std::int64_t replaced() const { return replaced_; }

  std::int64_t damaged() const { return damaged_; }

  // By number, since start() or start_over(), less what was forgotten.
  const std::map<std::int64_t, PictureFault>& faults() const { return faults_; }

  void forget_faults_before(std::int64_t number) {
    faults_.erase(faults_.begin(), faults_.lower_bound(number));
  }

  // "film.mkv: picture 41 (at 1.64 s)"; without `path`, "picture 41 (at 1.64 s)".
  std::string place(std::int64_t number, bool path = true) const;

  // Whether start() had to read the file from its start, since no seek reached the place.
  bool entered_slowly() const { return entered_slowly_; }

 private:
  FramePtr decode(std::int64_t& number);
  bool enter_at(std::int64_t key, std::int64_t first);
  void check_reached() const;
  void note_replaced();

  PictureDecoder& decoder_;
  SourceNumbering numbering_;
  bool quiet_;
  std::vector<std::int64_t> key_pts_;
  std::int64_t expected_ = 0;  // number that next() gives
  std::int64_t least_ = 0;     // numbers below are leading pictures of the place of entry
  FramePtr pending_;           // decoded, its turn to come
  std::int64_t pending_number_ = 0;
  FramePtr last_;  // given last
  bool ended_ = false;
  bool entered_slowly_ = false;
  std::int64_t counted_ = 0;
  std::int64_t passed_ = 0;
  std::int64_t replaced_ = 0;
  std::int64_t damaged_ = 0;
  std::map<std::int64_t, PictureFault> faults_;
};

}  // namespace vsr::media
