#include "checkpoint/json.hpp"

#include "checkpoint_files.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::model {
namespace {

using test::refusal_of;

TEST(Json, ReadsEveryKindOfValue) {
  const Json value =
      parse_json(R"( {"a": [1, -2.5e1, true, false, null], "b": {"c": "x"}, "d": [], "e": {}} )");
  ASSERT_EQ(value.kind, Json::Kind::kObject);
  ASSERT_EQ(value.members.size(), 4U);
  const auto& items = value.find("a")->items;
  ASSERT_EQ(items.size(), 5U);
  EXPECT_EQ(items[0].kind, Json::Kind::kInteger);
  EXPECT_EQ(items[0].integer, 1);
  EXPECT_EQ(items[1].kind, Json::Kind::kReal);
  EXPECT_EQ(items[1].real, -25.0);
  EXPECT_TRUE(items[2].truth);
  EXPECT_FALSE(items[3].truth);
  EXPECT_EQ(items[4].kind, Json::Kind::kNull);
  EXPECT_EQ(value.find("b")->find("c")->text, "x");
  EXPECT_EQ(value.find("nothing"), nullptr);
}

TEST(Json, KeepsIntegersOf64BitsAndMakesLargerOnesReal) {
  EXPECT_EQ(parse_json("9223372036854775807").integer, INT64_MAX);
  EXPECT_EQ(parse_json("-9223372036854775808").integer, INT64_MIN);
  const Json larger = parse_json("9223372036854775808");
  EXPECT_EQ(larger.kind, Json::Kind::kReal);
  EXPECT_EQ(larger.real, 0x1p63);
}

TEST(Json, ReadsEscapesAsUtf8) {
  EXPECT_EQ(parse_json(R"("\"\\\/\b\f\n\r\t")").text, "\"\\/\b\f\n\r\t");
  EXPECT_EQ(parse_json(R"("\u0041\u00e9\u20AC\ud83d\ude00")").text, "A\u00e9\u20ac\U0001F600");
  EXPECT_EQ(parse_json("\"\u00e9\u20ac\U0001F600\"").text, "\u00e9\u20ac\U0001F600");
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "[1",
                                 "[1,]",
                                 "{\"a\" 1}",
                                 "{\"a\":1,}",
                                 "{a:1}",
                                 "01",
                                 "+1",
                                 "-",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "1e999",
                                 "NaN",
                                 "Infinity",
                                 "tru",
                                 "'a'",
                                 "\"a",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\u12g4\"",
                                 "\"\\ud800\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\\udc00\"",
                                 "\"\n\"",
                                 "\"\xff\"",
                                 "\"\xc0\x80\"",
                                 "\"\xed\xa0\x80\"",
                                 "\"\xf4\x90\x80\x80\"",
                                 "\"\xe2\x82\"",
                                 "1 2",
                                 "{}x"}) {
    EXPECT_NE(refusal_of([&] { parse_json(text); }).find("invalid JSON at byte"), std::string::npos)
        << text;
  }
}

TEST(Json, RefusesANameTwice) {
  EXPECT_NE(refusal_of([] { parse_json(R"({"a":1,"a":2})"); }).find("twice"), std::string::npos);
}

TEST(Json, RefusesDeepNestingWithoutRecursingIntoIt) {
  EXPECT_EQ(parse_json(std::string(16, '[') + std::string(16, ']')).kind, Json::Kind::kArray);
  const std::string deep(1'000'000, '[');
  EXPECT_NE(refusal_of([&] { parse_json(deep); }).find("too deep"), std::string::npos);
}

TEST(Json, RefusesMoreValuesThanAMillion) {
  std::string many = "[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  EXPECT_NE(refusal_of([&] { parse_json(many + "]"); }).find("too many"), std::string::npos);
}

}  // namespace
}  // namespace vsr::model
