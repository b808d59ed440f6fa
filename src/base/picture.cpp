#include "vsr/base/picture.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cstring>

namespace vsr {

namespace {

// log2 of the chroma subsampling, horizontally and vertically.
int shift_x(const PictureFormat& format, int plane) {
  const bool chroma = format.model == ColourModel::kYuv && plane > 0;
  return chroma && format.subsampling != ChromaSubsampling::k444 ? 1 : 0;
}

int shift_y(const PictureFormat& format, int plane) {
  const bool chroma = format.model == ColourModel::kYuv && plane > 0;
  return chroma && format.subsampling == ChromaSubsampling::k420 ? 1 : 0;
}

}  // namespace

int plane_count(const PictureFormat& format) { return format.model == ColourModel::kGray ? 1 : 3; }

int plane_width(const PictureFormat& format, int plane) {
  const int shift = shift_x(format, plane);
  return (format.width + (1 << shift) - 1) >> shift;
}

int plane_height(const PictureFormat& format, int plane) {
  const int shift = shift_y(format, plane);
  return (format.height + (1 << shift) - 1) >> shift;
}

int bytes_per_sample(const PictureFormat& format) { return format.bit_depth > 8 ? 2 : 1; }

std::size_t packed_bytes(const PictureFormat& format) {
  std::size_t samples = 0;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    samples += static_cast<std::size_t>(plane_width(format, plane)) *
               static_cast<std::size_t>(plane_height(format, plane));
  }
  return samples * static_cast<std::size_t>(bytes_per_sample(format));
}

std::string to_string(const PictureFormat& format) {
  const std::string depth = format.bit_depth == 8 ? "" : vsr::format("{}", format.bit_depth);
  std::string name = "gray";
  if (format.model == ColourModel::kRgb) name = "gbrp";
  if (format.model == ColourModel::kYuv) {
    switch (format.subsampling) {
      case ChromaSubsampling::k420:
        name = "yuv420p";
        break;
      case ChromaSubsampling::k422:
        name = "yuv422p";
        break;
      case ChromaSubsampling::k444:
        name = "yuv444p";
        break;
    }
  }
  return vsr::format("{}x{} {}{}", format.width, format.height, name, depth);
}

std::string to_string(Matrix matrix) {
  switch (matrix) {
    case Matrix::kBt601:
      return "bt601";
    case Matrix::kBt709:
      return "bt709";
    case Matrix::kBt2020Ncl:
      return "bt2020nc";
    case Matrix::kSmpte240m:
      return "smpte240m";
    case Matrix::kFcc:
      return "fcc";
  }
  return "unknown";
}

std::string to_string(ChromaSiting siting) {
  switch (siting) {
    case ChromaSiting::kLeft:
      return "left";
    case ChromaSiting::kCenter:
      return "center";
    case ChromaSiting::kTopLeft:
      return "topleft";
    case ChromaSiting::kTop:
      return "top";
    case ChromaSiting::kBottomLeft:
      return "bottomleft";
    case ChromaSiting::kBottom:
      return "bottom";
  }
  return "unknown";
}

MutablePictureView packed_view(const PictureFormat& format, std::byte* memory) {
  MutablePictureView view{.format = format};
  for (int plane = 0; plane < plane_count(format); ++plane) {
    const std::ptrdiff_t pitch =
        static_cast<std::ptrdiff_t>(plane_width(format, plane)) * bytes_per_sample(format);
    view.planes[static_cast<std::size_t>(plane)] = memory;
    view.pitch_bytes[static_cast<std::size_t>(plane)] = pitch;
    memory += pitch * plane_height(format, plane);
  }
  return view;
}

void copy_picture(const PictureView& from, const MutablePictureView& to) {
  if (!(from.format == to.format)) {
    throw Error(
        ErrorCode::kInternal,
        format("copy of a {} picture into a {} one", to_string(from.format), to_string(to.format)));
  }
  for (int plane = 0; plane < plane_count(from.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const std::size_t row = static_cast<std::size_t>(plane_width(from.format, plane)) *
                            static_cast<std::size_t>(bytes_per_sample(from.format));
    for (int y = 0; y < plane_height(from.format, plane); ++y) {
      std::memcpy(
          to.planes[i] + y * to.pitch_bytes[i], from.planes[i] + y * from.pitch_bytes[i], row);
    }
  }
}

}  // namespace vsr
