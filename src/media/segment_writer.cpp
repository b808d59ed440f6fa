// SegmentWriter: pictures into a mezzanine, one packet a picture.
#include "vsr/media/segment_writer.hpp"

#include "av.hpp"
#include "encoder_pool.hpp"
#include "segment_muxer.hpp"
#include "segment_packets.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
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
  int profile = FF_PROFILE_UNKNOWN;  // for an encoder that has no option for it
};

// Note [Same bytes on any number of threads]: all four codecs code each picture by itself, so that
// it does not matter which encoder gets it, and cut it into slices that do not depend on the thread
// count (FFV1's number of slices would, if left to FFmpeg, so it is set). One encoder remembers
// something all the same: DNxHR's search for the quantiser begins where that of the encoder's last
// picture ended. It ends at the one place where a step finer no longer fits, wherever it began.
const Kind& kind_of(MezzanineCodec codec) {
  static const Kind kProres{
      "prores", "prores_aw", "mov", ".mov", {{"vendor", "apl0"}}, FF_PROFILE_PRORES_HQ};
  static const Kind kDnxhr{"dnxhr", "dnxhd", "mov", ".mov", {{"profile", "dnxhr_hqx"}}};
  static const Kind kFfv1{"ffv1",
                          "ffv1",
                          "matroska",
                          ".mkv",
                          {{"level", "3"}, {"slicecrc", "1"}, {"context", "0"}, {"g", "1"}}};
  static const Kind kNone{"none", nullptr, "nut", ".nut", {}};
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
    case MezzanineCodec::kNone:
      return kNone;
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

// Tags within a ProRes picture, where fewer values have a meaning than in the container around it
// (SMPTE RDD 36); FFmpeg's encoder writes 0 for any other, which its decoder takes for RGB.
template <typename Tagged>
void keep_to_prores_tags(Tagged& tagged) {
  switch (tagged.colorspace) {
    case AVCOL_SPC_BT470BG:  // one matrix under two names
      tagged.colorspace = AVCOL_SPC_SMPTE170M;
      break;
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_BT2020_NCL:
      break;
    default:
      tagged.colorspace = AVCOL_SPC_UNSPECIFIED;
  }
  switch (tagged.color_trc) {
    case AVCOL_TRC_SMPTE170M:  // one curve under four names
    case AVCOL_TRC_BT2020_10:
    case AVCOL_TRC_BT2020_12:
      tagged.color_trc = AVCOL_TRC_BT709;
      break;
    case AVCOL_TRC_BT709:
    case AVCOL_TRC_SMPTE2084:
    case AVCOL_TRC_ARIB_STD_B67:
      break;
    default:
      tagged.color_trc = AVCOL_TRC_UNSPECIFIED;
  }
  switch (tagged.color_primaries) {
    case AVCOL_PRI_BT709:
    case AVCOL_PRI_BT470BG:
    case AVCOL_PRI_SMPTE170M:
    case AVCOL_PRI_BT2020:
    case AVCOL_PRI_SMPTE431:
    case AVCOL_PRI_SMPTE432:
      break;
    default:
      tagged.color_primaries = AVCOL_PRI_UNSPECIFIED;
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

namespace {

// How the threads are shared out: one thread an encoder, as far as the pictures that encoders hold
// leave memory to others; then several threads an encoder.
int encoder_count(int threads, const PictureFormat& format) {
  if (threads <= 0) threads = usable_cpus();
  constexpr std::size_t kMostEncoders = 32;
  constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  const std::size_t held =
      std::clamp<std::size_t>(kMostBytes / packed_bytes(format), 1, kMostEncoders);
  return std::min(threads, static_cast<int>(held));
}

// Inside the writer at once: what encoders are at, and enough beside for none to stand idle while
// an earlier picture takes its time.
std::size_t most_inside(int encoders) {
  return static_cast<std::size_t>(encoders + encoders / 2 + 1);
}

// SIMD code in FFmpeg's encoders may count on this much.
constexpr std::ptrdiff_t kAlignment = 32;

bool is_aligned(const PictureView& picture) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(plane_count(picture.format)); ++i) {
    if (reinterpret_cast<std::uintptr_t>(picture.planes[i]) % kAlignment != 0) return false;
    if (picture.pitch_bytes[i] < 0 || picture.pitch_bytes[i] % kAlignment != 0) return false;
  }
  return true;
}

}  // namespace

struct SegmentWriter::Impl {
  std::filesystem::path path;
  MezzanineCodec codec;
  PictureFormat format;
  ColourDescription colour;
  Rational rate;
  Rational sample_aspect;
  std::int64_t first_frame;
  std::int64_t sent = 0;              // pictures given to the encoders
  WrittenMezzanine made;              // by the pool's threads, one at a time
  std::optional<SegmentMuxer> muxer;  // none for PNG
  std::vector<FramePtr> copies;       // of pictures that write() was given
  std::optional<EncoderPool> pool;    // last: its threads use what is above

  std::filesystem::path part() const { return part_name(path); }

  std::string frame_name(std::int64_t frame) const {
    return vsr::format("{}: frame {}", part().string(), frame);
  }

  CodecPtr open_encoder(int threads) const;
  EncoderPool::Encode encode_with(CodecPtr encoder) const;
  void check_format(const PictureView& picture) const;
  AVFrame& free_copy();
  void send(FramePtr frame);
  void store(EncodedPicture& picture);
};

CodecPtr SegmentWriter::Impl::open_encoder(int threads) const {
  const Kind& kind = kind_of(codec);
  const AVCodec* found = avcodec_find_encoder_by_name(kind.encoder);
  if (found == nullptr) {
    throw Error(ErrorCode::kUsage,
                vsr::format("segment.codec={}: this FFmpeg has no encoder {}; choose another codec",
                            kind.job_name,
                            kind.encoder));
  }
  CodecPtr encoder(avcodec_alloc_context3(found));
  if (!encoder) throw Error(ErrorCode::kInternal, "out of memory");
  encoder->width = format.width;
  encoder->height = format.height;
  encoder->pix_fmt = codec == MezzanineCodec::kPng ? AV_PIX_FMT_RGB48BE : av_pixel_format(format);
  encoder->time_base = to_av(rate.inverse());
  encoder->framerate = to_av(rate);
  encoder->sample_aspect_ratio = to_av(sample_aspect);
  encoder->field_order = AV_FIELD_PROGRESSIVE;
  encoder->thread_count = threads;
  // By frames, an encoder would keep pictures back.
  encoder->thread_type = FF_THREAD_SLICE;
  if (kind.profile != FF_PROFILE_UNKNOWN) encoder->profile = kind.profile;
  tag_colour(*encoder, colour, format);
  if (codec == MezzanineCodec::kProres) keep_to_prores_tags(*encoder);
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
  return encoder;
}

// The function takes the encoder along, and for PNG the form of the picture that it is given.
EncoderPool::Encode SegmentWriter::Impl::encode_with(CodecPtr encoder) const {
  FramePtr packed;
  if (encoder->pix_fmt == AV_PIX_FMT_RGB48BE) {
    packed = make_frame();
    packed->format = encoder->pix_fmt;
    packed->width = format.width;
    packed->height = format.height;
    check_av(av_frame_get_buffer(packed.get(), 0), ErrorCode::kInternal, "allocating a picture");
    tag_colour(*packed, colour, format);
    packed->sample_aspect_ratio = encoder->sample_aspect_ratio;
  }
  // Functions are copied by std::function: hence shared.
  return [this,
          codec_context = std::shared_ptr<AVCodecContext>(std::move(encoder)),
          packed_frame = std::shared_ptr<AVFrame>(std::move(packed))](const AVFrame& picture) {
    // An encoder may keep a reference to the picture that it coded last (FFV1's does), though it
    // does not look at it again: it gets one that holds nobody's memory.
    FramePtr shown;
    const AVFrame* frame = packed_frame.get();
    if (packed_frame) {
      pack_rgb48be(view_of(picture), *packed_frame);
      packed_frame->pts = picture.pts;
    } else {
      shown = borrowed_frame(view_of(picture), [] {});
      check_av(
          av_frame_copy_props(shown.get(), &picture), ErrorCode::kInternal, "copying a picture");
      frame = shown.get();
    }
    PacketPtr packet = make_packet();
    check_av(avcodec_send_frame(codec_context.get(), frame),
             ErrorCode::kInternal,
             frame_name(picture.pts));
    check_av(avcodec_receive_packet(codec_context.get(), packet.get()),
             ErrorCode::kInternal,
             frame_name(picture.pts));
    if (packet->pts != picture.pts || packet->size == 0) {
      throw Error(
          ErrorCode::kInternal,
          vsr::format(
              "{}: the encoder gave picture {} instead", frame_name(picture.pts), packet->pts));
    }
    return packet;
  };
}

// A frame that neither we nor an encoder thread still holds.
AVFrame& SegmentWriter::Impl::free_copy() {
  for (const FramePtr& frame : copies) {
    if (av_frame_is_writable(frame.get()) == 1) return *frame;
  }
  copies.push_back(allocate_frame(format));
  return *copies.back();
}

void SegmentWriter::Impl::check_format(const PictureView& picture) const {
  if (picture.format == format) return;
  throw Error(ErrorCode::kInternal,
              vsr::format("{}: given {} instead of {}",
                          frame_name(first_frame + sent),
                          to_string(picture.format),
                          to_string(format)));
}

void SegmentWriter::Impl::send(FramePtr frame) {
  tag_colour(*frame, colour, format);
  if (codec == MezzanineCodec::kProres) keep_to_prores_tags(*frame);
  frame->sample_aspect_ratio = to_av(sample_aspect);
  frame->pts = first_frame + sent;
  frame->pict_type = AV_PICTURE_TYPE_NONE;
  pool->send(std::move(frame));
  ++sent;
}

void SegmentWriter::Impl::store(EncodedPicture& picture) {
  AVPacket& packet = *picture.packet;
  made.checksums.push_back(picture.checksum);
  made.encode_s.push_back(static_cast<float>(picture.spent_s));
  ++made.frames;
  if (muxer) {
    muxer->write(packet);
    return;
  }
  write_file(part() / png_name(packet.pts),
             {reinterpret_cast<const char*>(packet.data), static_cast<std::size_t>(packet.size)});
}

SegmentWriter::SegmentWriter(const std::filesystem::path& path,
                             MezzanineCodec codec,
                             const PictureFormat& format,
                             const ColourDescription& colour,
                             const Rational& rate,
                             const Rational& sample_aspect,
                             std::int64_t first_frame,
                             int threads,
                             int encoders)
    : impl_(new Impl{.path = path,
                     .codec = codec,
                     .format = format,
                     .colour = colour,
                     .rate = rate,
                     .sample_aspect = sample_aspect,
                     .first_frame = first_frame}) {
  if (codec == MezzanineCodec::kNone)
    throw Error(ErrorCode::kInternal, "no mezzanine is to be made");
  check_mezzanine(codec, format);
  if (format.model == ColourModel::kRgb) impl_->colour.full_range = true;
  if (threads <= 0) threads = usable_cpus();
  if (encoders <= 0) encoders = encoder_count(threads, format);
  std::vector<CodecPtr> opened;
  for (int i = 0; i < encoders; ++i) {
    const int share = threads / encoders + (i < threads % encoders ? 1 : 0);
    opened.push_back(impl_->open_encoder(std::max(1, share)));
  }
  std::error_code error;
  std::filesystem::remove_all(impl_->part(), error);  // of an earlier attempt
  if (error) {
    throw Error(ErrorCode::kStorage,
                vsr::format("{}: cannot be removed: {}", impl_->part().string(), error.message()));
  }
  if (kind_of(codec).muxer != nullptr) {
    const AvPtr<AVCodecParameters> parameters(avcodec_parameters_alloc());
    if (!parameters) throw Error(ErrorCode::kInternal, "out of memory");
    check_av(avcodec_parameters_from_context(parameters.get(), opened.front().get()),
             ErrorCode::kInternal,
             "setting up the muxer");
    tag_colour(*parameters, impl_->colour, format);
    impl_->muxer.emplace(path, codec, *parameters, rate, sample_aspect);
  } else {
    make_directories(impl_->part());
  }
  std::vector<EncoderPool::Encode> functions;
  for (CodecPtr& encoder : opened) functions.push_back(impl_->encode_with(std::move(encoder)));
  impl_->pool.emplace(std::move(functions),
                      most_inside(encoders),
                      [impl = impl_.get()](EncodedPicture& picture) { impl->store(picture); });
}

std::size_t SegmentWriter::pictures_inside(const PictureFormat& format, int threads) {
  return most_inside(encoder_count(threads, format));
}

SegmentWriter::~SegmentWriter() = default;
SegmentWriter::SegmentWriter(SegmentWriter&&) noexcept = default;
SegmentWriter& SegmentWriter::operator=(SegmentWriter&&) noexcept = default;

void SegmentWriter::write(const PictureView& picture) {
  impl_->check_format(picture);
  AVFrame& copy = impl_->free_copy();
  copy_picture(picture, mutable_view_of(copy));
  FramePtr sent(av_frame_clone(&copy));
  if (!sent) throw Error(ErrorCode::kInternal, "out of memory");
  impl_->send(std::move(sent));
}

void SegmentWriter::lend(const PictureView& picture, std::function<void()> give_back) {
  FramePtr frame = borrowed_frame(picture, std::move(give_back));
  impl_->check_format(picture);
  if (is_aligned(picture)) {
    impl_->send(std::move(frame));
  } else {
    write(picture);
  }
}

WrittenMezzanine SegmentWriter::finish() {
  Impl& impl = *impl_;
  impl.pool->finish();
  if (impl.made.frames != impl.sent) {
    throw Error(ErrorCode::kInternal,
                vsr::format("{}: {} pictures went in and {} came out",
                            impl.part().string(),
                            impl.sent,
                            impl.made.frames));
  }
  const auto begin = std::chrono::steady_clock::now();
  if (impl.muxer) {
    impl.muxer->finish();
  } else {
    std::error_code error;  // a folder, unlike a file, cannot be renamed over a full one
    std::filesystem::remove_all(impl.path, error);
  }
  impl.made.bytes = bytes_below(impl.part());
  publish(impl.path);
  impl.made.busy_s =
      impl.pool->busy_s() +
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return std::move(impl.made);
}

}  // namespace vsr::media
