#include "vsr/base/device_picture.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cstddef>
#include <cstdint>

namespace vsr {

namespace {

template <typename Sample>
void copy_samples(const PictureView& from,
                  const SampleForm& form,
                  int plane,
                  const MutablePictureView& to) {
  const auto p = static_cast<std::size_t>(plane);
  const bool in_turn = form.semi_planar && plane > 0;
  const std::size_t from_plane = in_turn ? 1 : p;
  const int first = in_turn ? plane - 1 : 0;
  const int step = in_turn ? 2 : 1;
  const int width = plane_width(to.format, plane);
  const int height = plane_height(to.format, plane);
  for (int y = 0; y < height; ++y) {
    const auto* row =
        reinterpret_cast<const Sample*>(from.planes[from_plane] + y * from.pitch_bytes[from_plane]);
    auto* out = reinterpret_cast<Sample*>(to.planes[p] + y * to.pitch_bytes[p]);
    for (int x = 0; x < width; ++x) {
      out[x] = static_cast<Sample>(row[first + step * x] >> form.shift_bits);
    }
  }
}

}  // namespace

MutablePictureView packed_view(const PictureFormat& format,
                               const SampleForm& form,
                               std::byte* memory) {
  MutablePictureView view = packed_view(format, memory);
  if (form.semi_planar) {
    view.planes[2] = nullptr;
    view.pitch_bytes[1] *= 2;
    view.pitch_bytes[2] = 0;
  }
  return view;
}

void copy_picture(const PictureView& from, const SampleForm& form, const MutablePictureView& to) {
  if (!(from.format == to.format)) {
    throw Error(
        ErrorCode::kInternal,
        format("copy of a {} picture into a {} one", to_string(from.format), to_string(to.format)));
  }
  for (int plane = 0; plane < plane_count(to.format); ++plane) {
    if (bytes_per_sample(to.format) == 2) {
      copy_samples<std::uint16_t>(from, form, plane, to);
    } else {
      copy_samples<std::uint8_t>(from, form, plane, to);
    }
  }
}

}  // namespace vsr
