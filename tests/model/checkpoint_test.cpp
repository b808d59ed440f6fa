#include "vsr/model/checkpoint.hpp"

#include <gtest/gtest.h>

#include "vsr/base/error.hpp"

namespace vsr::model {
namespace {

TEST(Checkpoint, UnknownKeyIsOurBug) {
  EXPECT_THROW(Checkpoint().tensor("no.such.key"), Error);
}

}  // namespace
}  // namespace vsr::model
