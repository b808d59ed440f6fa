#include "vsr/model/cost.hpp"

#include <gtest/gtest.h>

namespace vsr::model {
namespace {

TEST(NetworkCost, ReleasedNetworkIsFifteenMegaflopAPixel) {
  const double gflop = network_gflop({true, 64, 7}, {.width = 1024, .height = 432});
  EXPECT_NEAR(gflop / (1024 * 432) * 1e3, 15.07, 0.01);
}

}  // namespace
}  // namespace vsr::model
