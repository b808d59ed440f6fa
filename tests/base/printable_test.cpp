#include "vsr/base/printable.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(Printable, LeavesReadableTextAsItIs) {
  for (const char* text : {"", "film (1).mkv", "C:\\films", "Größe 日本 🎞", "a\\nb"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, WritesControlCharactersAndBrokenUtf8AsEscapes) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable(std::string("\0\x1b[2J\x7f", 6)), "\\x00\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");           // a control character of two bytes
  EXPECT_EQ(printable("na\xEFve"), "na\\xefve");            // Latin-1
  EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // half a pair
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xE6\x97"), "\\xe6\\x97");  // cut off
}

TEST(Printable, IsTheSameWhenDoneTwice) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(printable(printable(all)), printable(all));
}

TEST(JsonEscaped, LeavesNothingThatEndsAString) {
  EXPECT_EQ(json_escaped("a\"b\\c"), "a\\\"b\\\\c");
  EXPECT_EQ(json_escaped("line\nend\x1b"), "line\\nend\\u001b");
  EXPECT_EQ(json_escaped("\xc3\xa9"), "\xc3\xa9");
}

}  // namespace
}  // namespace vsr
