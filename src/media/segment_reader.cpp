// SegmentReader: mezzanine pictures back in the form in which SegmentWriter took them.
#include "segment_packets.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstddef>
#include <utility>

namespace vsr::media {

namespace {

// PNG stores R, G, B in turn, high byte first.
void unpack_rgb48be(const AVFrame& packed, const MutablePictureView& planes) {
  for (int y = 0; y < packed.height; ++y) {
    const std::uint8_t* row = packed.data[0] + static_cast<std::ptrdiff_t>(y) * packed.linesize[0];
    for (std::size_t c = 0; c < 3; ++c) {
      auto* to = reinterpret_cast<std::uint16_t*>(planes.planes[c] + y * planes.pitch_bytes[c]);
      const std::uint8_t* from = row + 2 * c;
      for (int x = 0; x < packed.width; ++x, from += 6) {
        to[x] = static_cast<std::uint16_t>(from[0] << 8 | from[1]);
      }
    }
  }
}

}  // namespace

struct SegmentReader::Impl {
  std::filesystem::path path;
  MezzanineCodec codec;
  SegmentFrames frames;
  FramePtr frame = make_frame();
  std::vector<std::byte> unpacked;  // PNG only
};

SegmentReader::SegmentReader(const std::filesystem::path& path,
                             MezzanineCodec codec,
                             std::int64_t first,
                             std::int64_t count,
                             std::vector<std::uint32_t> checksums,
                             int threads)
    : impl_(new Impl{
          .path = path,
          .codec = codec,
          .frames = SegmentFrames(path, codec, first, count, std::move(checksums), threads)}) {}

SegmentReader::~SegmentReader() = default;
SegmentReader::SegmentReader(SegmentReader&&) noexcept = default;
SegmentReader& SegmentReader::operator=(SegmentReader&&) noexcept = default;

bool SegmentReader::read(PictureView& picture) {
  AVFrame& frame = *impl_->frame;
  av_frame_unref(&frame);
  if (!impl_->frames.read(frame)) return false;
  const PictureFormat expected = mezzanine_format(impl_->codec, frame.width, frame.height);
  if (impl_->codec == MezzanineCodec::kPng && frame.format == AV_PIX_FMT_RGB48BE) {
    impl_->unpacked.resize(packed_bytes(expected));
    const MutablePictureView planes = packed_view(expected, impl_->unpacked.data());
    unpack_rgb48be(frame, planes);
    picture = planes;
    return true;
  }
  if (frame.format != av_pixel_format(expected)) {
    throw Error(ErrorCode::kStorage,
                format("{}: holds {} pictures instead of {}; remove the segment and start again, "
                       "it will be made anew",
                       impl_->path.string(),
                       format_name(static_cast<AVPixelFormat>(frame.format)),
                       to_string(expected)));
  }
  picture = view_of(frame);
  return true;
}

std::optional<std::string> find_damage(const std::filesystem::path& path,
                                       MezzanineCodec codec,
                                       const std::vector<std::uint32_t>& checksums) {
  try {
    SegmentPackets packets(path, codec, 0, static_cast<std::int64_t>(checksums.size()), checksums);
    const PacketPtr packet = make_packet();
    while (packets.read(*packet)) av_packet_unref(packet.get());
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

}  // namespace vsr::media
