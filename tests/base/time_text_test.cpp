#include "vsr/base/time_text.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(ParseTime, TakesSecondsMinutesAndHours) {
  EXPECT_EQ(parse_time("90"), 90);
  EXPECT_EQ(parse_time("1:30"), 90);
  EXPECT_EQ(parse_time("1:02:03.5"), 3723.5);
  for (const char* text :
       {"", "-1", "1:-2", "1:2:3:4", "x", "1:", ":1", "inf", "nan", " 1", "#3"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(TimeText, CountsUpToHours) {
  EXPECT_EQ(time_text(0), "0:00:00.000");
  EXPECT_EQ(time_text(59.9996), "0:01:00.000");
  EXPECT_EQ(time_text(3723.5), "1:02:03.500");
  EXPECT_EQ(parse_time(time_text(45296.789)), 45296.789);
}

}  // namespace
}  // namespace vsr
