// Decoded pictures of a film by number: which of the planned pictures each one is, and what stands
// in for those that do not decode.
#pragma once

#include "picture_decoder.hpp"

#include <cstdint>
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
};

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
  // after the last. Throws Error(kInput) when too many do not decode.
  FramePtr next();

  // The number of the picture that next() gave last.
  std::int64_t number() const { return expected_ - 1; }

  // Pictures shown in place of ones that did not decode; and those the decoder calls damaged.
  std::int64_t replaced() const { return replaced_; }

  std::int64_t damaged() const { return damaged_; }

  // Whether start() had to read the file from its start, since no seek reached the place.
  bool entered_slowly() const { return entered_slowly_; }

 private:
  FramePtr decode(std::int64_t& number);
  bool enter_at(std::int64_t key, std::int64_t first);
  void note_replaced();
  std::string place(std::int64_t number) const;

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
};

}  // namespace vsr::media
