// Formats and colour: FFmpeg's words <-> ours.
#include "av.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

namespace vsr::media {

namespace {

struct FormatRow {
  AVPixelFormat av;
  ColourModel model;
  ChromaSubsampling subsampling;
  int bit_depth;
};

constexpr ColourModel kYuv = ColourModel::kYuv;
constexpr ColourModel kRgb = ColourModel::kRgb;
constexpr ColourModel kGray = ColourModel::kGray;
constexpr ChromaSubsampling k420 = ChromaSubsampling::k420;
constexpr ChromaSubsampling k422 = ChromaSubsampling::k422;
constexpr ChromaSubsampling k444 = ChromaSubsampling::k444;

// The first row of a PictureFormat is what av_pixel_format() gives. Gray is k420 as in a default
// PictureFormat.
constexpr FormatRow kFormats[] = {
    {AV_PIX_FMT_YUV420P, kYuv, k420, 8},      {AV_PIX_FMT_YUV422P, kYuv, k422, 8},
    {AV_PIX_FMT_YUV444P, kYuv, k444, 8},      {AV_PIX_FMT_YUVJ420P, kYuv, k420, 8},
    {AV_PIX_FMT_YUVJ422P, kYuv, k422, 8},     {AV_PIX_FMT_YUVJ444P, kYuv, k444, 8},
    {AV_PIX_FMT_YUV420P9LE, kYuv, k420, 9},   {AV_PIX_FMT_YUV422P9LE, kYuv, k422, 9},
    {AV_PIX_FMT_YUV444P9LE, kYuv, k444, 9},   {AV_PIX_FMT_YUV420P10LE, kYuv, k420, 10},
    {AV_PIX_FMT_YUV422P10LE, kYuv, k422, 10}, {AV_PIX_FMT_YUV444P10LE, kYuv, k444, 10},
    {AV_PIX_FMT_YUV420P12LE, kYuv, k420, 12}, {AV_PIX_FMT_YUV422P12LE, kYuv, k422, 12},
    {AV_PIX_FMT_YUV444P12LE, kYuv, k444, 12}, {AV_PIX_FMT_YUV420P14LE, kYuv, k420, 14},
    {AV_PIX_FMT_YUV422P14LE, kYuv, k422, 14}, {AV_PIX_FMT_YUV444P14LE, kYuv, k444, 14},
    {AV_PIX_FMT_YUV420P16LE, kYuv, k420, 16}, {AV_PIX_FMT_YUV422P16LE, kYuv, k422, 16},
    {AV_PIX_FMT_YUV444P16LE, kYuv, k444, 16}, {AV_PIX_FMT_GBRP, kRgb, k444, 8},
    {AV_PIX_FMT_GBRP9LE, kRgb, k444, 9},      {AV_PIX_FMT_GBRP10LE, kRgb, k444, 10},
    {AV_PIX_FMT_GBRP12LE, kRgb, k444, 12},    {AV_PIX_FMT_GBRP14LE, kRgb, k444, 14},
    {AV_PIX_FMT_GBRP16LE, kRgb, k444, 16},    {AV_PIX_FMT_GRAY8, kGray, k420, 8},
    {AV_PIX_FMT_GRAY9LE, kGray, k420, 9},     {AV_PIX_FMT_GRAY10LE, kGray, k420, 10},
    {AV_PIX_FMT_GRAY12LE, kGray, k420, 12},   {AV_PIX_FMT_GRAY14LE, kGray, k420, 14},
    {AV_PIX_FMT_GRAY16LE, kGray, k420, 16},
};

// FFmpeg's plane that holds our plane: gbrp stores G, B, R and we count R, G, B.
std::size_t av_plane(const PictureFormat& format, int plane) {
  constexpr std::array<std::size_t, 3> kGbr{2, 0, 1};
  const auto i = static_cast<std::size_t>(plane);
  return format.model == ColourModel::kRgb ? kGbr[i] : i;
}

PictureFormat format_of(const AVFrame& frame) {
  return known_picture_format(static_cast<AVPixelFormat>(frame.format), frame.width, frame.height);
}

template <typename Byte>
BasicPictureView<Byte> planes_of(const AVFrame& frame) {
  BasicPictureView<Byte> view{.format = format_of(frame)};
  for (int plane = 0; plane < plane_count(view.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const std::size_t from = av_plane(view.format, plane);
    view.planes[i] = reinterpret_cast<Byte*>(frame.data[from]);
    view.pitch_bytes[i] = frame.linesize[from];
  }
  return view;
}

}  // namespace

std::optional<PictureFormat> picture_format(AVPixelFormat format, int width, int height) {
  for (const FormatRow& row : kFormats) {
    if (row.av == format)
      return PictureFormat{width, height, row.model, row.subsampling, row.bit_depth};
  }
  return std::nullopt;
}

PictureFormat known_picture_format(AVPixelFormat format, int width, int height) {
  const auto known = picture_format(format, width, height);
  if (!known) {
    throw Error(ErrorCode::kInternal,
                vsr::format("a picture in {}, which has no planes of ours", format_name(format)));
  }
  return *known;
}

bool is_yuvj(AVPixelFormat format) {
  return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
         format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P ||
         format == AV_PIX_FMT_YUVJ411P;
}

bool has_alpha(AVPixelFormat format) {
  const AVPixFmtDescriptor* described = av_pix_fmt_desc_get(format);
  return described != nullptr && (described->flags & AV_PIX_FMT_FLAG_ALPHA) != 0 &&
         (described->flags & AV_PIX_FMT_FLAG_PAL) == 0;  // says so of every palette
}

std::optional<AVPixelFormat> planar_format(AVPixelFormat format, bool* exact) {
  if (exact != nullptr) *exact = true;
  if (picture_format(format, 0, 0)) return format;
  const AVPixFmtDescriptor* described = av_pix_fmt_desc_get(format);
  constexpr std::uint64_t kNever =
      AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT;
  if (described == nullptr || (described->flags & kNever) != 0 ||
      std::string_view(described->name).starts_with("xyz")) {
    return std::nullopt;
  }
  PictureFormat wanted;
  for (int i = 0; i < described->nb_components; ++i) {
    wanted.bit_depth = std::max(wanted.bit_depth, described->comp[i].depth);
  }
  const int chroma_w = described->log2_chroma_w;
  const int chroma_h = described->log2_chroma_h;
  if ((described->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0) {
    wanted.model = ColourModel::kRgb;
    wanted.subsampling = ChromaSubsampling::k444;
  } else if (described->nb_components <= 2) {
    wanted.model = ColourModel::kGray;
  } else if (chroma_w == 1 && chroma_h <= 1) {
    wanted.subsampling = chroma_h == 1 ? ChromaSubsampling::k420 : ChromaSubsampling::k422;
  } else {
    wanted.subsampling = ChromaSubsampling::k444;
    if (exact != nullptr) *exact = chroma_w == 0 && chroma_h == 0;
  }
  for (; wanted.bit_depth <= 16; ++wanted.bit_depth) {
    const AVPixelFormat found = av_pixel_format(wanted);
    if (found != AV_PIX_FMT_NONE) return found;
  }
  return std::nullopt;
}

AVPixelFormat av_pixel_format(const PictureFormat& format) {
  for (const FormatRow& row : kFormats) {
    if (row.model == format.model && row.bit_depth == format.bit_depth &&
        (row.subsampling == format.subsampling || row.model == ColourModel::kGray)) {
      return row.av;
    }
  }
  return AV_PIX_FMT_NONE;
}

std::string format_name(AVPixelFormat format) {
  const char* name = av_get_pix_fmt_name(format);
  return name == nullptr ? "unknown" : name;
}

std::optional<Matrix> matrix_of(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return Matrix::kBt601;
    case AVCOL_SPC_BT709:
      return Matrix::kBt709;
    case AVCOL_SPC_BT2020_NCL:
      return Matrix::kBt2020Ncl;
    case AVCOL_SPC_SMPTE240M:
      return Matrix::kSmpte240m;
    case AVCOL_SPC_FCC:
      return Matrix::kFcc;
    default:
      return std::nullopt;
  }
}

std::optional<ChromaSiting> siting_of(AVChromaLocation location) {
  switch (location) {
    case AVCHROMA_LOC_LEFT:
      return ChromaSiting::kLeft;
    case AVCHROMA_LOC_CENTER:
      return ChromaSiting::kCenter;
    case AVCHROMA_LOC_TOPLEFT:
      return ChromaSiting::kTopLeft;
    case AVCHROMA_LOC_TOP:
      return ChromaSiting::kTop;
    case AVCHROMA_LOC_BOTTOMLEFT:
      return ChromaSiting::kBottomLeft;
    case AVCHROMA_LOC_BOTTOM:
      return ChromaSiting::kBottom;
    default:
      return std::nullopt;
  }
}

AVColorSpace av_colour_space(const ColourDescription& colour, const PictureFormat& format) {
  if (format.model == ColourModel::kRgb) return AVCOL_SPC_RGB;
  switch (colour.matrix) {
    case Matrix::kBt601:
      // One matrix under two names; the one that fits the other tags.
      return colour.primaries == AVCOL_PRI_SMPTE170M ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_BT470BG;
    case Matrix::kBt709:
      return AVCOL_SPC_BT709;
    case Matrix::kBt2020Ncl:
      return AVCOL_SPC_BT2020_NCL;
    case Matrix::kSmpte240m:
      return AVCOL_SPC_SMPTE240M;
    case Matrix::kFcc:
      return AVCOL_SPC_FCC;
  }
  return AVCOL_SPC_UNSPECIFIED;
}

AVChromaLocation av_siting(const ColourDescription& colour, const PictureFormat& format) {
  if (format.model != ColourModel::kYuv || format.subsampling == ChromaSubsampling::k444) {
    return AVCHROMA_LOC_UNSPECIFIED;
  }
  switch (colour.siting) {
    case ChromaSiting::kLeft:
      return AVCHROMA_LOC_LEFT;
    case ChromaSiting::kCenter:
      return AVCHROMA_LOC_CENTER;
    case ChromaSiting::kTopLeft:
      return AVCHROMA_LOC_TOPLEFT;
    case ChromaSiting::kTop:
      return AVCHROMA_LOC_TOP;
    case ChromaSiting::kBottomLeft:
      return AVCHROMA_LOC_BOTTOMLEFT;
    case ChromaSiting::kBottom:
      return AVCHROMA_LOC_BOTTOM;
  }
  return AVCHROMA_LOC_UNSPECIFIED;
}

void set_usual_tags(ColourDescription& colour, int height) {
  switch (colour.matrix) {
    case Matrix::kBt601:
      colour.primaries = height >= 576 ? AVCOL_PRI_BT470BG : AVCOL_PRI_SMPTE170M;
      colour.transfer = AVCOL_TRC_SMPTE170M;
      return;
    case Matrix::kBt709:
      colour.primaries = AVCOL_PRI_BT709;
      colour.transfer = AVCOL_TRC_BT709;
      return;
    case Matrix::kBt2020Ncl:
      colour.primaries = AVCOL_PRI_BT2020;
      colour.transfer = AVCOL_TRC_BT2020_10;
      return;
    case Matrix::kSmpte240m:
      colour.primaries = AVCOL_PRI_SMPTE240M;
      colour.transfer = AVCOL_TRC_SMPTE240M;
      return;
    case Matrix::kFcc:
      colour.primaries = AVCOL_PRI_BT470M;
      colour.transfer = AVCOL_TRC_GAMMA22;
      return;
  }
}

void tag_colour(AVFrame& frame, const ColourDescription& colour, const PictureFormat& format) {
  frame.color_range = colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  frame.colorspace = av_colour_space(colour, format);
  frame.color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  frame.color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  frame.chroma_location = av_siting(colour, format);
}

void tag_colour(AVCodecContext& codec,
                const ColourDescription& colour,
                const PictureFormat& format) {
  codec.color_range = colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  codec.colorspace = av_colour_space(colour, format);
  codec.color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  codec.color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  codec.chroma_sample_location = av_siting(colour, format);
}

void tag_colour(AVCodecParameters& parameters,
                const ColourDescription& colour,
                const PictureFormat& format) {
  parameters.color_range = colour.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  parameters.color_space = av_colour_space(colour, format);
  parameters.color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  parameters.color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  parameters.chroma_location = av_siting(colour, format);
}

PictureView view_of(const AVFrame& frame) { return planes_of<const std::byte>(frame); }

namespace {

struct Loan {
  std::function<void()> give_back;
};

struct EndLoan {
  void operator()(Loan* loan) const {
    try {
      loan->give_back();
    } catch (const std::exception& error) {
      log::error("media", "a picture could not be given back: {}", error.what());
    } catch (...) {  // often called from C, where no exception may pass
      log::error("media", "a picture could not be given back");
    }
    delete loan;
  }
};

}  // namespace

FramePtr borrowed_frame(const PictureView& picture, std::function<void()> give_back) {
  std::unique_ptr<Loan, EndLoan> loan(new Loan{std::move(give_back)});
  FramePtr frame = make_frame();
  frame->format = av_pixel_format(picture.format);
  frame->width = picture.format.width;
  frame->height = picture.format.height;
  for (int plane = 0; plane < plane_count(picture.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const std::size_t to = av_plane(picture.format, plane);
    // FFmpeg's planes know no const; the buffer says that they are read-only.
    frame->data[to] = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(picture.planes[i]));
    frame->linesize[to] = static_cast<int>(picture.pitch_bytes[i]);
  }
  const auto bytes = static_cast<std::size_t>(std::abs(picture.pitch_bytes[0])) *
                     static_cast<std::size_t>(picture.format.height);
  frame->buf[0] = av_buffer_create(
      frame->data[0],
      bytes,
      [](void* ended, std::uint8_t*) { EndLoan{}(static_cast<Loan*>(ended)); },
      loan.get(),
      AV_BUFFER_FLAG_READONLY);
  if (frame->buf[0] == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  loan.release();
  return frame;
}

MutablePictureView mutable_view_of(AVFrame& frame) { return planes_of<std::byte>(frame); }

FramePtr allocate_frame(const PictureFormat& format) {
  const AVPixelFormat av = av_pixel_format(format);
  if (av == AV_PIX_FMT_NONE) {
    throw Error(ErrorCode::kInternal,
                vsr::format("no pixel format of FFmpeg holds {}", to_string(format)));
  }
  FramePtr frame = make_frame();
  frame->format = av;
  frame->width = format.width;
  frame->height = format.height;
  check_av(av_frame_get_buffer(frame.get(), 0), ErrorCode::kInternal, "allocating a picture");
  return frame;
}

}  // namespace vsr::media
