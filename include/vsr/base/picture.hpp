// The shape and meaning of one uncompressed picture, shared by the rooms that decode, upscale and
// encode. Plain values; no ownership (the views borrow).
//
// Samples: 8-bit depths are one byte; 9 to 16 bits are two bytes, little endian, value in the low
// bits. Plane order: Y, U(Cb), V(Cr); or R, G, B; or Y alone. Chroma planes of a w x h picture are
// ceil(w / sx) x ceil(h / sy).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vsr {

enum class ColourModel { kYuv, kRgb, kGray };
enum class ChromaSubsampling { k444, k422, k420 };

// Where the first chroma sample lies relative to luma (ITU-T H.273, chroma_sample_loc_type).
// 4:2:2 uses its horizontal part only.
enum class ChromaSiting { kLeft, kCenter, kTopLeft, kTop, kBottomLeft, kBottom };

// YUV <-> RGB matrix, by its Kr and Kb. kBt601 stands for bt470bg and smpte170m alike.
enum class Matrix { kBt601, kBt709, kBt2020Ncl, kSmpte240m, kFcc };

struct PictureFormat {
  int width = 0;
  int height = 0;
  ColourModel model = ColourModel::kYuv;
  ChromaSubsampling subsampling = ChromaSubsampling::k420;  // k444 for RGB; ignored for gray
  int bit_depth = 8;                                        // 8..16

  bool operator==(const PictureFormat&) const = default;
};

// How sample values map to light. primaries and transfer are H.273 code points (1 = bt709,
// 5 = bt470bg, 6 = smpte170m, ...; 2 = unspecified), carried along, never used in arithmetic.
struct ColourDescription {
  Matrix matrix = Matrix::kBt709;
  bool full_range = false;
  ChromaSiting siting = ChromaSiting::kLeft;
  int primaries = 2;
  int transfer = 2;

  bool operator==(const ColourDescription&) const = default;
};

int plane_count(const PictureFormat& format);
int plane_width(const PictureFormat& format, int plane);
int plane_height(const PictureFormat& format, int plane);
int bytes_per_sample(const PictureFormat& format);
// Bytes of all planes without padding.
std::size_t packed_bytes(const PictureFormat& format);
// "1024x432 yuv422p10".
std::string to_string(const PictureFormat& format);
std::string to_string(Matrix matrix);
std::string to_string(ChromaSiting siting);

template <typename Byte>
struct BasicPictureView {
  PictureFormat format;
  std::array<Byte*, 3> planes{};                // unused planes are null
  std::array<std::ptrdiff_t, 3> pitch_bytes{};  // distance between rows; may exceed the row

  operator BasicPictureView<const Byte>() const {  // NOLINT(google-explicit-constructor)
    return {format, {planes[0], planes[1], planes[2]}, pitch_bytes};
  }
};

using PictureView = BasicPictureView<const std::byte>;
using MutablePictureView = BasicPictureView<std::byte>;

// A view of a picture whose planes lie one after another in `memory`, rows unpadded.
// REQUIRES: memory holds packed_bytes(format) bytes.
MutablePictureView packed_view(const PictureFormat& format, std::byte* memory);
// Copies all samples. REQUIRES: equal formats.
void copy_picture(const PictureView& from, const MutablePictureView& to);

}  // namespace vsr
