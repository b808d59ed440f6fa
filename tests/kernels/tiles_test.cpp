// Tiles put together, on a GPU or with the device code emulated on the CPU.
#include "vsr/kernels/tiles.hpp"

#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/tiles.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <optional>
#include <vector>

namespace vsr::kernels {
namespace {

using test::kStream;
using test::OnDevice;

constexpr int kWidth = 140;
constexpr int kHeight = 83;

class GatheredTiles : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
    flag_.emplace(std::vector<std::byte>(sizeof(int)));
  }

  // What `picture` comes to, cut into tiles of at most 64x40 pixels and put together again.
  std::vector<float> gathered(const std::vector<float>& picture) {
    const TileRule rule{.unit = 4, .least = 16};
    const TileAxis across(kWidth, 64, 12, rule);
    const TileAxis down(kHeight / 4 * 4, 40, 8, rule);
    OnDevice sums(std::vector<std::byte>(std::size_t{6} * kWidth * kHeight));
    const GatheredPicture whole{static_cast<std::uint16_t*>(sums.data()), kWidth, kHeight};
    for (int row = 0; row < down.count(); ++row) {
      for (int column = 0; column < across.count(); ++column) {
        add(picture, across, column, down, row, whole);
      }
    }
    OnDevice rgb(std::vector<float>(picture.size()), ElementType::kFloat);
    launch_gathered_to_rgb(whole, static_cast<float*>(rgb.data()), kStream);
    return rgb.values(ElementType::kFloat);
  }

  int flag() {
    int value = 0;
    const auto bytes = flag_->bytes();
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }

  std::optional<OnDevice> flag_;

 private:
  void add(const std::vector<float>& picture,
           const TileAxis& across,
           int column,
           const TileAxis& down,
           int row,
           const GatheredPicture& whole) {
    std::vector<float> cut;
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < down.tile(); ++y) {
        for (int x = 0; x < across.tile(); ++x) {
          cut.push_back(picture[static_cast<std::size_t>(
              (c * kHeight + down.begin(row) + y) * kWidth + across.begin(column) + x)]);
        }
      }
    }
    OnDevice tile(cut, ElementType::kFloat);
    OnDevice shares_across(across.shares(column, 1), ElementType::kFloat);
    OnDevice shares_down(down.shares(row, 1), ElementType::kFloat);
    launch_add_tile({.data = tile.floats(),
                     .width = across.tile(),
                     .height = down.tile(),
                     .across = shares_across.floats(),
                     .down = shares_down.floats()},
                    whole,
                    across.begin(column),
                    down.begin(row),
                    static_cast<int*>(flag_->data()),
                    kStream);
  }
};

TEST_F(GatheredTiles, GiveThePictureThatTheyWereCutFrom) {
  const auto picture = test::random_values(3 * kWidth * kHeight, -0.2f, 1.2f, 3);
  const auto made = gathered(picture);
  for (std::size_t i = 0; i < made.size(); ++i) {
    const bool covered = i / kWidth % kHeight < kHeight / 4 * 4;
    const float expected = covered ? std::min(std::max(picture[i], 0.0f), 1.0f) : 0.0f;
    // Four tiles at most, each rounded once.
    ASSERT_NEAR(made[i], expected, 2.1 / 65535) << i;
  }
  EXPECT_EQ(flag(), 0);
}

TEST_F(GatheredTiles, WhiteStaysWhite) {
  const auto made = gathered(std::vector<float>(std::size_t{3} * kWidth * kHeight, 7.0f));
  for (int i = 0; i < kWidth * (kHeight / 4 * 4); ++i) {
    ASSERT_NEAR(made[static_cast<std::size_t>(i)], 1, 2.1 / 65535);
    ASSERT_LE(made[static_cast<std::size_t>(i)], 1);
  }
}

TEST_F(GatheredTiles, TellWhatIsNoNumber) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    flag_.emplace(std::vector<std::byte>(sizeof(int)));
    std::vector<float> picture(std::size_t{3} * kWidth * kHeight, 0.5f);
    gathered(picture);
    EXPECT_EQ(flag(), 0) << bad;
    picture[kWidth * kHeight + 77 * kWidth + 139] = bad;
    gathered(picture);
    EXPECT_EQ(flag(), 1) << bad;
  }
}

TEST_F(GatheredTiles, LieInTheirPicture) {
  const TileView tile{.width = 8, .height = 8};
  const GatheredPicture picture{.width = 16, .height = 16};
  EXPECT_THROW(launch_add_tile(tile, picture, 12, 0, nullptr, kStream), Error);
  EXPECT_THROW(launch_add_tile(tile, picture, 0, 9, nullptr, kStream), Error);
  EXPECT_THROW(launch_add_tile(tile, picture, 2, 0, nullptr, kStream), Error);
}

}  // namespace
}  // namespace vsr::kernels
