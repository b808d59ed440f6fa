#include "vsr/base/picture.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vsr
