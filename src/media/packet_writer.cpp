// PacketWriter: encoded pictures into a mezzanine.
#include "vsr/media/packet_writer.hpp"

#include "av.hpp"
#include "segment_muxer.hpp"
#include "segment_packets.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

namespace vsr::media {

namespace {

// Size (4 bytes), "icpf", size of the header (2), version (2), who made it (4), width, height (2
// each).
constexpr std::size_t kLeastFrameBytes = 20;

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

bool is_frame_of(const PictureFormat& format, std::span<const std::byte> packet) {
  return packet.size() >= kLeastFrameBytes && number_at(packet, 0, 4) == packet.size() &&
         std::memcmp(packet.data() + 4, "icpf", 4) == 0 &&
         std::cmp_equal(number_at(packet, 16, 2), format.width) &&
         std::cmp_equal(number_at(packet, 18, 2), format.height);
}

// What the muxer has to know, as prores_ks would say it.
AvPtr<AVCodecParameters> parameters_of(const PictureFormat& format,
                                       const ColourDescription& colour,
                                       const Rational& sample_aspect) {
  AvPtr<AVCodecParameters> parameters(avcodec_parameters_alloc());
  if (!parameters) throw Error(ErrorCode::kInternal, "out of memory");
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = AV_CODEC_ID_PRORES;
  parameters->codec_tag = MKTAG('a', 'p', 'c', 'h');
  parameters->profile = FF_PROFILE_PRORES_HQ;
  parameters->format = av_pixel_format(format);
  parameters->bits_per_raw_sample = format.bit_depth;
  parameters->width = format.width;
  parameters->height = format.height;
  parameters->field_order = AV_FIELD_PROGRESSIVE;
  parameters->sample_aspect_ratio = to_av(sample_aspect);
  tag_colour(*parameters, colour, format);
  return parameters;
}

}  // namespace

struct PacketWriter::Impl {
  std::filesystem::path path;
  PictureFormat format;
  std::int64_t first_frame;
  WrittenMezzanine made;
  std::optional<SegmentMuxer> muxer;
  PacketPtr packet = make_packet();
};

PacketWriter::PacketWriter(const std::filesystem::path& path,
                           const PictureFormat& format,
                           const ColourDescription& colour,
                           const Rational& rate,
                           const Rational& sample_aspect,
                           std::int64_t first_frame)
    : impl_(new Impl{.path = path, .format = format, .first_frame = first_frame}) {
  check_mezzanine(MezzanineCodec::kProres, format);
  const std::filesystem::path part = part_name(path);
  std::error_code error;
  std::filesystem::remove_all(part, error);  // of an earlier attempt
  if (error) {
    throw Error(ErrorCode::kStorage,
                vsr::format("{}: cannot be removed: {}", part.string(), error.message()));
  }
  impl_->muxer.emplace(path,
                       MezzanineCodec::kProres,
                       *parameters_of(format, colour, sample_aspect),
                       rate,
                       sample_aspect);
}

PacketWriter::~PacketWriter() = default;
PacketWriter::PacketWriter(PacketWriter&&) noexcept = default;
PacketWriter& PacketWriter::operator=(PacketWriter&&) noexcept = default;

void PacketWriter::write(std::span<const std::byte> packet) {
  Impl& impl = *impl_;
  const std::int64_t frame = impl.first_frame + impl.made.frames;
  if (!is_frame_of(impl.format, packet)) {
    throw Error(ErrorCode::kInternal,
                vsr::format("{}: frame {}: {} bytes that are no ProRes frame of {}",
                            part_name(impl.path).string(),
                            frame,
                            packet.size(),
                            to_string(impl.format)));
  }
  check_av(av_new_packet(impl.packet.get(), static_cast<int>(packet.size())),
           ErrorCode::kInternal,
           "allocating a packet");
  std::memcpy(impl.packet->data, packet.data(), packet.size());
  impl.packet->pts = frame;
  impl.made.checksums.push_back(packet_checksum({impl.packet->data, packet.size()}));
  ++impl.made.frames;
  impl.muxer->write(*impl.packet);
}

WrittenMezzanine PacketWriter::finish() {
  Impl& impl = *impl_;
  impl.muxer->finish();
  impl.made.bytes = std::filesystem::file_size(part_name(impl.path));
  publish(impl.path);
  return std::move(impl.made);
}

}  // namespace vsr::media
