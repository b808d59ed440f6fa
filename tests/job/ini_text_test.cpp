#include "ini_text.hpp"

#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string value_of(const std::string& written) {
  const auto entries = parse_ini("[s]\nk =" + written + "\n", "job.ini");
  return entries.size() == 1 ? entries[0].value : "not one entry";
}

std::string fault_of(const std::string& text) {
  try {
    parse_ini(text, "job.ini");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(IniText, SectionsKeysAndCommentLines) {
  const auto entries = parse_ini(
      "# one\n  ; two\n\n[ a ] # three\nx=1\n y = 2 \n[b]\n[a]\nz =\n[c]\nx=3", "job.ini");
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0].name, "a.x");
  EXPECT_EQ(entries[0].line, 5);
  EXPECT_EQ(entries[1].value, "2");
  EXPECT_EQ(entries[2].name, "a.z");
  EXPECT_EQ(entries[2].value, "");
  EXPECT_EQ(entries[3].name, "c.x");
  EXPECT_EQ(entries[3].line, 11);
  EXPECT_TRUE(parse_ini("", "job.ini").empty());
}

TEST(IniText, WindowsLineEndsAndByteOrderMark) {
  const auto entries = parse_ini("\xEF\xBB\xBF[a]\r\nx = 1\r\n\r\ny = \"2\"\r\n", "job.ini");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].value, "1");
  EXPECT_EQ(entries[1].value, "2");
  EXPECT_EQ(entries[1].line, 4);
}

TEST(IniText, PlainValuesAreLiteralUpToAComment) {
  EXPECT_EQ(value_of(" hash#semi;.mkv"), "hash#semi;.mkv");
  EXPECT_EQ(value_of(" a # b"), "a");
  EXPECT_EQ(value_of(" a\t#b"), "a");
  EXPECT_EQ(value_of(" # b"), "");
  EXPECT_EQ(value_of("#b"), "#b");
  EXPECT_EQ(value_of(" a ; b"), "a ; b");
  EXPECT_EQ(value_of(" C:\\n\\x41"), "C:\\n\\x41");
  EXPECT_EQ(value_of(" a=b=\"c\" "), "a=b=\"c\"");
}

TEST(IniText, QuotedValues) {
  EXPECT_EQ(value_of(" \" a # b; \" # c"), " a # b; ");
  EXPECT_EQ(value_of("\"\""), "");
  EXPECT_EQ(value_of(R"( "\"\\\n\t\x1b\xFF")"), "\"\\\n\t\x1b\xFF");
  EXPECT_THAT(fault_of("[a]\nx = \"b\n"), StartsWith("job.ini:2: the value's closing quote"));
  EXPECT_THAT(fault_of("[a]\nx = \"b\\\""), HasSubstr("closing quote"));
  EXPECT_THAT(fault_of("[a]\nx = \"b\" c\n"), HasSubstr("only a comment"));
  EXPECT_THAT(fault_of("[a]\nx = \"b\"#c\n"), HasSubstr("only a comment"));
  for (const char* escape : {"\\r", "\\", "\\x1", "\\x-1", "\\x00", "\\xg0", "\\ "}) {
    EXPECT_THAT(fault_of("[a]\n\nx = \"" + std::string(escape) + "\"\n"), StartsWith("job.ini:3: "))
        << escape;
  }
}

TEST(IniText, FaultsNameTheirLines) {
  EXPECT_THAT(fault_of("x = 1\n"), StartsWith("job.ini:1: 'x' stands before the first [section]"));
  EXPECT_THAT(fault_of("[a]\nx=1\n\n[b]\n[a]\nx=2\n"),
              StartsWith("job.ini:6: a.x is given twice, first in line 2"));
  EXPECT_THAT(fault_of("\n[a\n"), StartsWith("job.ini:2: '[a' lacks"));
  EXPECT_THAT(fault_of("[]\n"), StartsWith("job.ini:1: '[]' is no section"));
  EXPECT_THAT(fault_of("[a] b\n"), StartsWith("job.ini:1: '[a] b' is no section"));
  EXPECT_THAT(fault_of("[a]\njust words\n"), StartsWith("job.ini:2: 'just words' is neither"));
  EXPECT_THAT(fault_of("[a]\n= 1\n"), StartsWith("job.ini:2: '= 1' is neither"));
  EXPECT_LT(fault_of("[a]\n" + std::string(100000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace vsr
