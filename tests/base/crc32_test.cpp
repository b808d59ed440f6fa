#include "vsr/base/crc32.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr {
namespace {

TEST(Crc32, IsThatOfZipAndPng) {
  EXPECT_EQ(crc32(""), 0U);
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);  // the check value of its definition
  EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog"), 0x414FA339U);
  EXPECT_EQ(crc32(std::string(32, '\0')), 0x190A55ADU);
  EXPECT_EQ(crc32(std::string(32, '\xff')), 0xFF6CAB0BU);
}

TEST(Crc32, GoesOnFromAnyPlace) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += static_cast<char>(i * 37);
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    EXPECT_EQ(crc32(bytes.substr(at), crc32(bytes.substr(0, at))), crc32(bytes)) << at;
  }
}

}  // namespace
}  // namespace vsr
