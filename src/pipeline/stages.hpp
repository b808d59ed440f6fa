// What the segments of a pipeline share, and what each of them has while it is in it. Private.
//
// Note [Segments follow each other]
// A segment comes to two stages that are there once: it is decoded (the reader, the ring of
// uploads) and it is with the network. It leaves the first when the network has taken its last
// picture, so that the next one's are decoded while the network is at the last window; it leaves
// the second when its last pictures are queued, and the next one's follow them at once while it is
// still being encoded and committed. Segments have both stages in the order in which they came. All
// else (the queues between stages, the ring of downloads, the encoders) each has of its own, so one
// that fails leaves the others alone.
#pragma once

#include "picture_ring.hpp"
#include "quality_meter.hpp"
#include "turns.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/upscaler.hpp"
#include "vsr/pipeline/segment_pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace vsr::pipeline {

// What is said to a segment by `stop`.
constexpr int kFinishWhatIsBegun = 1;
constexpr int kStopNow = 2;

// Pictures on their way to the network: slots of a ring, reused as soon as their copy is done, or
// the decoder's own on the GPU.
constexpr std::size_t kUploadSlots = 4;
static_assert(kUploadSlots <= DevicePicture::kMostHeld);

// What the network gives, on its way to the mezzanine: pictures to be encoded, or packets. Their
// slots wait for the encoders, which read pictures where they are, and for who measures them: by
// digests, where there are any, one beside each slot.
struct Downloads {
  Downloads(const model::PictureUpscaler& upscaler, const PipelineOptions& options);

  BufferRing& ring() { return packets ? static_cast<BufferRing&>(*packets) : *pictures; }

  DigestView digest(std::size_t slot) const {
    return {digest_shape, digests.size() == 0 ? nullptr : digests[slot].data()};
  }

  std::optional<PictureRing> pictures;
  std::optional<PacketRing> packets;
  kernels::DigestShape digest_shape;
  PinnedSlots digests;  // none, or as many as the ring has
};

// A picture for the network, and what is kept of it to measure by (may be null).
struct Decoded {
  model::LrFrame picture;
  SourceFramePtr source;
};

struct Stages {
  Stages(const media::Timeline& timeline_in,
         model::PictureUpscaler& upscaler_in,
         const PipelineOptions& options_in);

  const media::Timeline& timeline;
  model::PictureUpscaler& upscaler;
  const PipelineOptions options;
  const media::DecodeDevice decode_device;

  Turns decoding;
  // Of whoever has that turn. The reader, and the pictures it gave last, are kept from segment to
  // segment, since the halo of the next reaches back into the one before.
  PictureRing uploads;
  std::optional<media::FrameReader> reader;
  std::deque<Decoded> recent;  // ends at reader->position()

  Turns upscaling;  // likewise, the upscaler's run() and begin_sequence()
};

// A segment's number among those that came, and what it has left.
class Place {
 public:
  Place(Stages& stages, std::int64_t number) : stages_(stages), number_(number) {}

  // Leaves what it has not left yet.
  ~Place() {
    leave_decoding();
    leave_upscaling();
  }

  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  // See Turns::wait_for().
  template <typename GiveUp>
  bool wait_for_decoding(const GiveUp& give_up) {
    return stages_.decoding.wait_for(number_, give_up);
  }

  template <typename GiveUp>
  bool wait_for_upscaling(const GiveUp& give_up) {
    return stages_.upscaling.wait_for(number_, give_up);
  }

  bool left_decoding() const { return left_decoding_; }

  void leave_decoding() {
    if (!left_decoding_) stages_.decoding.leave(number_);
    left_decoding_ = true;
  }

  void leave_upscaling() {
    if (!left_upscaling_) stages_.upscaling.leave(number_);
    left_upscaling_ = true;
  }

 private:
  Stages& stages_;
  const std::int64_t number_;
  bool left_decoding_ = false;
  bool left_upscaling_ = false;
};

}  // namespace vsr::pipeline
