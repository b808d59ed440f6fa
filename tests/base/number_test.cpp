#include "vsr/base/number.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace vsr {
namespace {

TEST(ParseNumber, TakesAllOfTheTextOrNothing) {
  EXPECT_EQ(parse_number<int>("0042"), 42);
  EXPECT_EQ(parse_number<std::int64_t>("-9223372036854775808"),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_number<double>("17.5"), 17.5);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x10", "1.5", "--1"}) {
    EXPECT_FALSE(parse_number<int>(text)) << text;
  }
}

TEST(ParseNumber, TooLargeIsNothing) {
  EXPECT_FALSE(parse_number<int>("2147483648"));
  EXPECT_EQ(parse_number<std::int64_t>("2147483648"), 2147483648);
  EXPECT_FALSE(parse_number<double>("1e999"));
}

}  // namespace
}  // namespace vsr
