// SegmentWriter: pictures into a mezzanine, one packet a picture.
#include "vsr/media/segment_writer.hpp"

#include "av.hpp"
#include "segment_muxer.hpp"
#include "segment_packets.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace vsr::media {

namespace {

constexpr int kLargestSide = 16384;

struct Kind {
  const char* job_name;  // as in segment.codec
  const char* encoder;
  const char* muxer;  // null: one file a picture
  const char* extension;
  std::vector<std::pair<const char*, const char*>> options;
};

// Note [Same bytes on any number of threads]: all four codecs code each picture by itself and cut
// it into slices that do not depend on the thread count (FFV1's number of slices would, if left to
// FFmpeg, so it is set).
const Kind& kind_of(MezzanineCodec codec) {
  static const Kind kProres{
      "prores", "prores_ks", "mov", ".mov", {{"profile", "hq"}, {"vendor", "apl0"}}};
  static const Kind kDnxhr{"dnxhr", "dnxhd", "mov", ".mov", {{"profile", "dnxhr_hqx"}}};
  static const Kind kFfv1{"ffv1",
                          "ffv1",
                          "matroska",
                          ".mkv",
                          {{"level", "3"}, {"slicecrc", "1"}, {"context", "0"}, {"g", "1"}}};
  static const Kind kPng{"png", "png", nullptr, "", {{"pred", "up"}, {"compression_level", "2"}}};
  switch (codec) {
    case MezzanineCodec::kProres:
      return kProres;
    case MezzanineCodec::kDnxhr:
      return kDnxhr;
    case MezzanineCodec::kFfv1:
      return kFfv1;
    case MezzanineCodec::kPng:
      return kPng;
  }
  throw Error(ErrorCode::kInternal, "no such mezzanine codec");
}

// The finest slicing that the picture is large enough for.
const char* ffv1_slices(const PictureFormat& format) {
  const int side = std::min(format.width, format.height);
  if (side >= 64) return "16";
  return side >= 8 ? "4" : "1";
}

// R, G, B planes into rgb48be, the only 16-bit form that FFmpeg's PNG encoder takes.
void pack_rgb48be(const PictureView& planes, AVFrame& packed) {
  for (int y = 0; y < packed.height; ++y) {
    std::uint8_t* row = packed.data[0] + static_cast<std::ptrdiff_t>(y) * packed.linesize[0];
    for (std::size_t c = 0; c < 3; ++c) {
      const auto* from =
          reinterpret_cast<const std::uint16_t*>(planes.planes[c] + y * planes.pitch_bytes[c]);
      std::uint8_t* to = row + 2 * c;
      for (int x = 0; x < packed.width; ++x, to += 6) {
        to[0] = static_cast<std::uint8_t>(from[x] >> 8);
        to[1] = static_cast<std::uint8_t>(from[x] & 0xff);
      }
    }
  }
}

std::uint64_t bytes_below(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::file_size(path);
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) bytes += entry.file_size();
  return bytes;
}

}  // namespace

PictureFormat mezzanine_format(MezzanineCodec codec, int width, int height) {
  if (codec == MezzanineCodec::kPng) {
    return {width, height, ColourModel::kRgb, ChromaSubsampling::k444, 16};
  }
  return {width, height, ColourModel::kYuv, ChromaSubsampling::k422, 10};
}

std::string mezzanine_extension(MezzanineCodec codec) { return kind_of(codec).extension; }

void check_mezzanine(MezzanineCodec codec, const PictureFormat& format) {
  const auto refuse = [&](const std::string& why) {
    throw Error(
        ErrorCode::kUsage,
        vsr::format("segment.codec={} cannot hold pictures of {}x{}: {}; segment.codec=ffv1 "
                    "can",
                    kind_of(codec).job_name,
                    format.width,
                    format.height,
                    why));
  };
  if (format.width < 2 || format.height < 2 || format.width > kLargestSide ||
      format.height > kLargestSide) {
    throw Error(ErrorCode::kUsage,
                vsr::format("pictures of {}x{} cannot be stored: each side must be 2 to {}",
                            format.width,
                            format.height,
                            kLargestSide));
  }
  const bool broadcast = codec == MezzanineCodec::kProres || codec == MezzanineCodec::kDnxhr;
  if (broadcast && format.width % 2 != 0) refuse("its width must be even");
  if (codec == MezzanineCodec::kDnxhr && (format.width < 256 || format.height < 120)) {
    refuse("DNxHR needs at least 256x120");
  }
  if (codec == MezzanineCodec::kDnxhr && format.height > 8192) {
    refuse("DNxHR ends at 8192 lines");
  }
  if (format != mezzanine_format(codec, format.width, format.height)) {
    throw Error(ErrorCode::kInternal,
                vsr::format("segment.codec={} takes {}, not {}",
                            kind_of(codec).job_name,
                            to_string(mezzanine_format(codec, format.width, format.height)),
                            to_string(format)));
  }
}

struct SegmentWriter::Impl {
  std::filesystem::path path;
  PictureFormat format;
  ColourDescription colour;
  Rational rate;
  std::int64_t first_frame;
  std::int64_t written = 0;  // pictures given to the encoder
  WrittenMezzanine made;
  CodecPtr encoder;
  std::optional<SegmentMuxer> muxer;  // none for PNG
  PacketPtr packet = make_packet();
  std::vector<FramePtr> pool;

  std::filesystem::path part() const { return part_name(path); }

  std::string frame_name(std::int64_t frame) const {
    return vsr::format("{}: frame {}", part().string(), frame);
  }

  void open_encoder(MezzanineCodec codec, const Rational& sample_aspect, int threads);
  AVFrame& free_frame();
  void drain();
  void store_packet();
};

void SegmentWriter::Impl::open_encoder(MezzanineCodec codec,
                                       const Rational& sample_aspect,
                                       int threads) {
  const Kind& kind = kind_of(codec);
  const AVCodec* found = avcodec_find_encoder_by_name(kind.encoder);
  if (found == nullptr) {
    throw Error(ErrorCode::kUsage,
                vsr::format("segment.codec={}: this FFmpeg has no encoder {}; choose another codec",
                            kind.job_name,
                            kind.encoder));
  }
  encoder.reset(avcodec_alloc_context3(found));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  encoder->width = format.width;
  encoder->height = format.height;
  encoder->pix_fmt = codec == MezzanineCodec::kPng ? AV_PIX_FMT_RGB48BE : av_pixel_format(format);
  encoder->time_base = to_av(rate.inverse());
  encoder->framerate = to_av(rate);
  encoder->sample_aspect_ratio = to_av(sample_aspect);
  encoder->field_order = AV_FIELD_PROGRESSIVE;
  encoder->thread_count = threads > 0 ? threads : usable_cpus();
  tag_colour(*encoder, colour, format);
  if (kind.muxer != nullptr &&
      (av_guess_format(kind.muxer, nullptr, nullptr)->flags & AVFMT_GLOBALHEADER) != 0) {
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  Dictionary options;
  for (const auto& [key, value] : kind.options) options.set(key, value);
  if (codec == MezzanineCodec::kFfv1) options.set("slices", ffv1_slices(format));
  const LogCapture capture;
  const int result = avcodec_open2(encoder.get(), found, options.slot());
  check_av(result,
           ErrorCode::kUsage,
           vsr::format("segment.codec={}: the encoder cannot be opened for {} ({})",
                       kind.job_name,
                       to_string(format),
                       capture.text()));
}

// A frame that neither we nor an encoder thread still holds.
AVFrame& SegmentWriter::Impl::free_frame() {
  for (const FramePtr& frame : pool) {
    if (av_frame_is_writable(frame.get()) == 1) return *frame;
  }
  FramePtr frame = make_frame();
  frame->format = encoder->pix_fmt;
  frame->width = format.width;
  frame->height = format.height;
  check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "allocating a picture");
  tag_colour(*frame, colour, format);
  frame->sample_aspect_ratio = encoder->sample_aspect_ratio;
  pool.push_back(std::move(frame));
  return *pool.back();
}

// Takes what the encoder has ready.
void SegmentWriter::Impl::drain() {
  while (true) {
    const int result = avcodec_receive_packet(encoder.get(), packet.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    check_av(result, ErrorCode::kInternal, frame_name(first_frame + made.frames));
    store_packet();
  }
}

void SegmentWriter::Impl::store_packet() {
  const std::int64_t frame = first_frame + made.frames;
  if (packet->pts != frame || packet->size == 0) {
    throw Error(
        ErrorCode::kInternal,
        vsr::format("{}: the encoder gave picture {} instead", frame_name(frame), packet->pts));
  }
  const std::span<const std::uint8_t> bytes(packet->data, static_cast<std::size_t>(packet->size));
  made.checksums.push_back(packet_checksum(bytes));
  ++made.frames;
  if (!muxer) {
    write_file(part() / png_name(frame),
               {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    av_packet_unref(packet.get());
    return;
  }
  muxer->write(*packet);
}

SegmentWriter::SegmentWriter(const std::filesystem::path& path,
                             MezzanineCodec codec,
                             const PictureFormat& format,
                             const ColourDescription& colour,
                             const Rational& rate,
                             const Rational& sample_aspect,
                             std::int64_t first_frame,
                             int threads)
    : impl_(new Impl{.path = path,
                     .format = format,
                     .colour = colour,
                     .rate = rate,
                     .first_frame = first_frame}) {
  check_mezzanine(codec, format);
  if (format.model == ColourModel::kRgb) impl_->colour.full_range = true;
  impl_->open_encoder(codec, sample_aspect, threads);
  std::error_code error;
  std::filesystem::remove_all(impl_->part(), error);  // of an earlier attempt
  if (error) {
    throw Error(ErrorCode::kStorage,
                vsr::format("{}: cannot be removed: {}", impl_->part().string(), error.message()));
  }
  if (kind_of(codec).muxer != nullptr) {
    const AvPtr<AVCodecParameters> parameters(avcodec_parameters_alloc());
    if (!parameters) throw Error(ErrorCode::kInternal, "out of memory");
    check_av(avcodec_parameters_from_context(parameters.get(), impl_->encoder.get()),
             ErrorCode::kInternal,
             "setting up the muxer");
    impl_->muxer.emplace(path, codec, *parameters, rate, sample_aspect);
  } else {
    make_directories(impl_->part());
  }
}

SegmentWriter::~SegmentWriter() = default;
SegmentWriter::SegmentWriter(SegmentWriter&&) noexcept = default;
SegmentWriter& SegmentWriter::operator=(SegmentWriter&&) noexcept = default;

void SegmentWriter::write(const PictureView& picture) {
  Impl& impl = *impl_;
  if (picture.format != impl.format) {
    throw Error(ErrorCode::kInternal,
                vsr::format("{}: given {} instead of {}",
                            impl.frame_name(impl.first_frame + impl.written),
                            to_string(picture.format),
                            to_string(impl.format)));
  }
  AVFrame& frame = impl.free_frame();
  if (frame.format == AV_PIX_FMT_RGB48BE) {
    pack_rgb48be(picture, frame);
  } else {
    copy_picture(picture, mutable_view_of(frame));
  }
  frame.pts = impl.first_frame + impl.written;
  frame.pict_type = AV_PICTURE_TYPE_NONE;
  while (true) {
    const int result = avcodec_send_frame(impl.encoder.get(), &frame);
    if (result != AVERROR(EAGAIN)) {
      check_av(result, ErrorCode::kInternal, impl.frame_name(frame.pts));
      break;
    }
    impl.drain();
  }
  ++impl.written;
  impl.drain();
}

WrittenMezzanine SegmentWriter::finish() {
  Impl& impl = *impl_;
  check_av(avcodec_send_frame(impl.encoder.get(), nullptr),
           ErrorCode::kInternal,
           impl.part().string() + ": ending the encoder");
  impl.drain();
  if (impl.made.frames != impl.written) {
    throw Error(ErrorCode::kInternal,
                vsr::format("{}: {} pictures went in and {} came out",
                            impl.part().string(),
                            impl.written,
                            impl.made.frames));
  }
  if (impl.muxer) {
    impl.muxer->finish();
  } else {
    std::error_code error;  // a folder, unlike a file, cannot be renamed over a full one
    std::filesystem::remove_all(impl.path, error);
  }
  impl.made.bytes = bytes_below(impl.part());
  publish(impl.path);
  return std::move(impl.made);
}

}  // namespace vsr::media
