#include "vsr/base/picture.hpp"

#include "vsr/base/device_picture.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vsr {
namespace {

TEST(Picture, OddSizesRoundChromaUp) {
  const PictureFormat format{.width = 7, .height = 5, .bit_depth = 10};
  EXPECT_EQ(plane_width(format, 0), 7);
  EXPECT_EQ(plane_width(format, 1), 4);
  EXPECT_EQ(plane_height(format, 2), 3);
  EXPECT_EQ(packed_bytes(format), 2u * (7 * 5 + 2 * 4 * 3));
}

TEST(Picture, NamesAreFfmpegs) {
  EXPECT_EQ(to_string(PictureFormat{.width = 1024, .height = 432, .bit_depth = 8}),
            "1024x432 yuv420p");
  EXPECT_EQ(
      to_string(PictureFormat{
          .width = 4096, .height = 1728, .subsampling = ChromaSubsampling::k422, .bit_depth = 10}),
      "4096x1728 yuv422p10");
}

TEST(Picture, CopiesBetweenPitches) {
  const PictureFormat format{.width = 6, .height = 4};
  std::vector<std::byte> wide(64 * 8 * 3);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<std::byte>(i * 31);
  PictureView from{.format = format};
  for (std::size_t plane = 0; plane < 3; ++plane) {
    from.planes[plane] = wide.data() + plane * 64 * 8;
    from.pitch_bytes[plane] = 64;
  }
  std::vector<std::byte> packed(packed_bytes(format));
  const MutablePictureView to = packed_view(format, packed.data());
  copy_picture(from, to);
  EXPECT_EQ(to.planes[0][1 * 6 + 5], wide[64 + 5]);
  EXPECT_EQ(to.planes[2][1 * 3 + 2], wide[2 * 64 * 8 + 64 + 2]);
  EXPECT_THROW(copy_picture(from, packed_view({.width = 4, .height = 4}, packed.data())), Error);
}

TEST(Picture, ComesOutOfADecodersForm) {
  // P010 of an odd size: 10 bits above 6, Cb and Cr in turn.
  const PictureFormat format{.width = 3, .height = 3, .bit_depth = 10};
  const SampleForm form{.semi_planar = true, .shift_bits = 6};
  std::vector<std::uint16_t> memory(packed_bytes(format) / 2);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    memory[i] = static_cast<std::uint16_t>(i << 6 | 0x3f);
  }
  const MutablePictureView from =
      packed_view(format, form, reinterpret_cast<std::byte*>(memory.data()));
  EXPECT_EQ(from.pitch_bytes, (std::array<std::ptrdiff_t, 3>{6, 8, 0}));
  EXPECT_EQ(from.planes[2], nullptr);
  std::vector<std::uint16_t> packed(memory.size());
  const MutablePictureView to = packed_view(format, reinterpret_cast<std::byte*>(packed.data()));
  copy_picture(from, form, to);
  EXPECT_EQ(packed,
            (std::vector<std::uint16_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 10, 12, 14, 16}));
  EXPECT_THROW(copy_picture(from, form, packed_view({.width = 4, .height = 4}, to.planes[0])),
               Error);
}

}  // namespace
}  // namespace vsr
