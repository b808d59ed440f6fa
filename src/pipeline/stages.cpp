#include "stages.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>

namespace vsr::pipeline {

namespace {

// A window's pictures come in a burst after its features: room for all of them, beside those that
// encoders are at, lets the network go on with the next window while the encoders work them off.
constexpr std::size_t kLeastDownloadSlots = 8;
// Of a segment; two are on their way at times.
constexpr std::size_t kDownloadBytes = std::size_t{1} << 30;

// `inside`: those that encoders hold.
std::size_t download_slots(std::size_t slot_bytes, std::size_t inside, int max_seq_len) {
  const std::size_t wanted = static_cast<std::size_t>(max_seq_len) + inside;
  return std::clamp(
      kDownloadBytes / slot_bytes, kLeastDownloadSlots, std::max(kLeastDownloadSlots, wanted));
}

// Whether pictures stay on the GPU where it decodes them, and if not, why.
media::DecodeDevice resolved(media::DecodeDevice device,
                             const media::Timeline& timeline,
                             const model::PictureUpscaler& upscaler) {
  if (!device.nvdec || !device.stay_on_gpu) return device;
  if (!timeline.filters.empty()) {
    device.stay_on_gpu = false;
    log::info("pipeline", "pictures decoded on the GPU come to the host: filters work there");
  } else if (!upscaler.takes_device_pictures()) {
    device.stay_on_gpu = false;
    log::info("pipeline",
              "pictures decoded on the GPU come to the host: only the fused network takes them "
              "where they are");
  } else {
    log::info("pipeline", "pictures stay on the GPU from decoder to network");
  }
  return device;
}

}  // namespace

Downloads::Downloads(const model::PictureUpscaler& upscaler, const PipelineOptions& options)
    : digest_shape(kernels::digest_shape(
          upscaler.input_format(), upscaler.output_format(), options.output_colour)) {
  const PictureFormat& format = upscaler.output_format();
  const bool digested = options.quality.every > 0 && upscaler.gives_digests();
  const std::size_t digest_bytes = digested ? kernels::digest_bytes(digest_shape) : 0;
  if (const std::size_t bytes = upscaler.usual_packet_bytes(); bytes > 0) {
    packets.emplace(
        bytes, download_slots(bytes + digest_bytes, 0, options.max_seq_len), options.pinned);
  } else {
    const std::size_t inside =
        media::SegmentWriter::pictures_inside(format, options.encode_threads);
    pictures.emplace(
        format,
        download_slots(packed_bytes(format) + digest_bytes, inside, options.max_seq_len),
        options.pinned);
  }
  if (digested) digests = PinnedSlots(digest_bytes, ring().size(), options.pinned);
}

Stages::Stages(const media::Timeline& timeline_in,
               model::PictureUpscaler& upscaler_in,
               const PipelineOptions& options_in)
    : timeline(timeline_in),
      upscaler(upscaler_in),
      options(options_in),
      decode_device(resolved(options_in.decode_device, timeline_in, upscaler_in)),
      uploads(upscaler_in.input_format(), kUploadSlots, options_in.pinned) {
  if (options.quality.every > 0 && upscaler.usual_packet_bytes() > 0 && !upscaler.gives_digests()) {
    throw Error(ErrorCode::kInternal, "packets can be measured by their digests only");
  }
}

}  // namespace vsr::pipeline
