// Digests: the host's against the picture, and the kernel's against the host's, byte for byte; on a
// GPU, or with the device code emulated on the CPU.
#include "vsr/kernels/picture_digest.hpp"

#include "axis_on_device.hpp"
#include "picture_memory.hpp"
#include "vsr/base/error.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AxisOnDevice;
using test::kStream;
using test::kUntouched;
using test::OnDevice;
using test::PlanesOnHost;
using test::sample_at;

constexpr ColourModel kYuv = ColourModel::kYuv;
constexpr ChromaSubsampling k420 = ChromaSubsampling::k420;
constexpr ChromaSubsampling k422 = ChromaSubsampling::k422;
constexpr ChromaSubsampling k444 = ChromaSubsampling::k444;

TEST(DigestRows, AreSpreadOverThePicture) {
  EXPECT_EQ(digest_pairs(1), 0);
  EXPECT_EQ(digest_pairs(2), 1);
  EXPECT_EQ(digest_row(0, 2), 0);
  EXPECT_EQ(digest_pairs(97), 96);
  for (int pair = 0; pair < 96; ++pair) EXPECT_EQ(digest_row(pair, 97), pair);
  EXPECT_EQ(digest_pairs(1728), 96);
  EXPECT_EQ(digest_row(0, 1728), 8);
  EXPECT_EQ(digest_row(95, 1728), 1718);
}

TEST(Digest, IsMeansOfBlocksAndRowsAsTheyAre) {
  const PictureFormat format{40, 400, kYuv, k444, 10};
  PlanesOnHost picture(format, 2, 6);
  picture.fill(1);
  const DigestShape shape = digest_shape({10, 100, kYuv, k420, 8}, format, {});
  std::vector<std::byte> memory(digest_bytes(shape));
  std::byte* const digest = memory.data();
  make_digest(picture.view(), shape, digest);
  ASSERT_EQ(digest_unit(shape), 64);
  for (int plane = 0; plane < 3; ++plane) {
    for (int y = 0; y < 100; ++y) {
      for (int x = 0; x < 10; ++x) {
        int sum = 0;
        for (int i = 0; i < 16; ++i) {
          sum += sample_at(picture.view(), plane, 4 * y + i / 4, 4 * x + i % 4);
        }
        ASSERT_EQ(digest_plane(shape, digest, plane)[10 * y + x], sum * 64 / 16);
      }
    }
  }
  const PictureView rows = digest_rows(shape, digest);
  ASSERT_EQ(rows.format, (PictureFormat{40, 192, ColourModel::kGray, k444, 10}));
  for (int row = 0; row < 192; ++row) {
    const int from = digest_row(row / 2, 400) + row % 2;
    for (int x = 0; x < 40; ++x) {
      ASSERT_EQ(sample_at(rows, 0, row, x), sample_at(picture.view(), 0, from, x));
    }
  }
}

// By ratios whose weights do not add up to 1 exactly, of samples that leave no room above.
TEST(Digest, OfWhiteIsWhite) {
  const PictureFormat format{130, 70, kYuv, k420, 16};
  PlanesOnHost picture(format, 2, 0);
  picture.set_bytes(std::vector(picture.bytes().size(), std::byte{0xFF}));
  const DigestShape shape = digest_shape({39, 21, kYuv, k420, 8}, format, {});
  std::vector<std::byte> digest(digest_bytes(shape));
  make_digest(picture.view(), shape, digest.data());
  EXPECT_EQ(digest, std::vector(digest.size(), std::byte{0xFF}));
}

struct Case {
  const char* name;
  PictureFormat source;
  PictureFormat picture;
  ChromaSiting siting = ChromaSiting::kLeft;
};

std::ostream& operator<<(std::ostream& out, const Case& given) { return out << given.name; }

class DigestKernel : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
  }

  // With `extra_bytes` behind each row of the picture, and as much memory behind the digest, which
  // has to stay as it was.
  static std::vector<std::byte> run(const PlanesOnHost& picture, const DigestShape& shape) {
    constexpr std::size_t kBehind = 64;
    OnDevice planes(picture.bytes());
    OnDevice digest(std::vector<std::byte>(digest_bytes(shape) + kBehind, kUntouched));
    const std::array<PlaneAxes, 2> axes = digest_axes(shape);
    AxisOnDevice luma_across(axes[0].across);
    AxisOnDevice luma_down(axes[0].down);
    AxisOnDevice chroma_across(axes[1].across);
    AxisOnDevice chroma_down(axes[1].down);
    launch_digest(picture.view(planes.data()),
                  shape,
                  {DevicePlaneAxes{luma_across.axis(), luma_down.axis()},
                   DevicePlaneAxes{chroma_across.axis(), chroma_down.axis()}},
                  static_cast<std::byte*>(digest.data()),
                  kStream);
    std::vector<std::byte> got = digest.bytes();
    EXPECT_EQ(std::vector(got.end() - kBehind, got.end()), std::vector(kBehind, kUntouched));
    got.resize(digest_bytes(shape));
    return got;
  }
};

TEST_P(DigestKernel, IsTheHostsToTheByte) {
  const Case& given = GetParam();
  const DigestShape shape = digest_shape(given.source, given.picture, {.siting = given.siting});
  for (const std::ptrdiff_t extra_bytes : {0, 10}) {
    PlanesOnHost picture(given.picture, 2, extra_bytes);
    picture.fill(7);
    std::vector<std::byte> expected(digest_bytes(shape));
    make_digest(picture.view(), shape, expected.data());
    const std::vector<std::byte> got = run(picture, shape);
    ASSERT_EQ(got.size(), expected.size());
    const auto apart = std::mismatch(got.begin(), got.end(), expected.begin());
    EXPECT_EQ(apart.first - got.begin(), static_cast<std::ptrdiff_t>(got.size()))
        << "the first byte that differs";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Pictures,
    DigestKernel,
    testing::Values(
        Case{"FourTimes", {70, 36, kYuv, k420, 8}, {280, 144, kYuv, k422, 10}},
        Case{"Centred", {70, 36, kYuv, k420, 8}, {280, 144, kYuv, k420, 10}, ChromaSiting::kCenter},
        Case{"TopLeft", {70, 36, kYuv, k420, 8}, {280, 144, kYuv, k420, 8}, ChromaSiting::kTopLeft},
        Case{"Odd", {33, 19, kYuv, k420, 8}, {131, 75, kYuv, k420, 8}},
        Case{"OddAnd422", {33, 19, kYuv, k420, 8}, {131, 75, kYuv, k422, 12}},
        Case{"Third", {48, 27, kYuv, k444, 16}, {160, 90, kYuv, k422, 10}},  // 10 / 3
        Case{"AsLarge", {67, 41, kYuv, k420, 8}, {67, 41, kYuv, k422, 10}},
        Case{"SmallerThanItsSource", {90, 80, kYuv, k420, 8}, {66, 40, kYuv, k422, 10}},
        Case{"WiderOnly", {40, 80, kYuv, k420, 8}, {160, 40, kYuv, k444, 14}},
        Case{"Rgb", {21, 15, ColourModel::kRgb, k444, 8}, {84, 60, ColourModel::kRgb, k444, 16}},
        Case{"Gray", {21, 15, ColourModel::kGray, k444, 8}, {84, 60, ColourModel::kGray, k444, 8}},
        Case{"ManyRows", {8, 100, kYuv, k420, 8}, {32, 400, kYuv, k422, 10}},
        Case{"GreatRatio", {3, 2, kYuv, k420, 8}, {700, 90, kYuv, k422, 10}},
        Case{"OneRow", {9, 1, kYuv, k444, 8}, {36, 1, kYuv, k444, 10}},
        Case{"OneSample", {1, 1, kYuv, k420, 8}, {4, 4, kYuv, k420, 10}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(DigestKernel, OtherFormatsAndTablesAreRefused) {
  const PictureFormat format{64, 48, kYuv, k422, 10};
  PlanesOnHost picture(format, 2, 0);
  const DigestShape shape = digest_shape({16, 12, kYuv, k420, 8}, format, {});
  DigestShape other = shape;
  other.picture.bit_depth = 12;
  EXPECT_THROW(run(picture, other), Error);
  OnDevice planes(picture.bytes());
  OnDevice digest(std::vector<std::byte>(digest_bytes(shape)));
  const PlaneAxes axes = digest_axes(shape)[0];
  AxisOnDevice across(axes.across);
  AxisOnDevice down(axes.down);
  const DevicePlaneAxes wrong{down.axis(), across.axis()};
  EXPECT_THROW(launch_digest(picture.view(planes.data()),
                             shape,
                             {wrong, wrong},
                             static_cast<std::byte*>(digest.data()),
                             kStream),
               Error);
}

}  // namespace
}  // namespace vsr::kernels
