#include "embedded_model.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/store/golden_file.hpp"

#include <gtest/gtest.h>

namespace vsr::launcher {
namespace {

TEST(EmbeddedModel, IsTheShippedFile) {
  const EmbeddedModel embedded = embedded_model();
  const auto file = test::source_dir() / "models" / (embedded.name + ".pth");
  const auto checkpoint = read_checkpoint("embedded");
  EXPECT_EQ(checkpoint.sha256(), sha256_of_file(file));
  EXPECT_EQ(checkpoint.describe(), "x4 c32 n3");
  EXPECT_LT(embedded.checkpoint.size(), 6'000'000u);
}

TEST(EmbeddedModel, ItsGoldenDataBelongsToIt) {
  const EmbeddedModel embedded = embedded_model();
  const auto golden = store::read_golden(embedded.golden, "golden");
  ASSERT_EQ(golden.weights.size(), 1u);
  EXPECT_EQ(golden.weights[0], embedded.name + ".pth");
}

TEST(EmbeddedModel, AnyOtherNameIsAFile) {
  try {
    read_checkpoint("Embedded");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kModel);
  }
}

}  // namespace
}  // namespace vsr::launcher
