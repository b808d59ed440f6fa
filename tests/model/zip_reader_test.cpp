#include "checkpoint/zip_reader.hpp"

#include "checkpoint_files.hpp"
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::model {
namespace {

using namespace test;

constexpr std::uint64_t kPlenty = 1 << 20;

class ZipReader : public testing::Test {
 protected:
  // Opens a zip file of this content and reads all its entries.
  Entries read_all(const std::string& content) {
    const FileBytes file(put_file(folder_.path(), "a.zip", content));
    const ZipArchive archive(file);
    Entries entries;
    for (const auto& [name, entry] : archive.entries()) {
      const auto bytes = archive.read(name, kPlenty);
      entries.emplace_back(name,
                           std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    return entries;
  }

  void expect_refused(const std::string& content, const std::string& why) {
    const std::string message = refusal_of([&] { read_all(content); });
    EXPECT_NE(message.find(why), std::string::npos) << "got: " << message;
  }

  vsr::test::TemporaryFolder folder_;
  const Entries entries_ = {{"r/a", "first"}, {"r/b", ""}, {"r/c", std::string(3000, 'x')}};
};

// Overwrites `bytes` at the n-th `signature` (from 0), `offset` bytes behind its start.
std::string patched(std::string file,
                    const std::string& signature,
                    int n,
                    std::size_t offset,
                    const std::string& bytes) {
  std::size_t at = file.find(signature);
  for (; n > 0; --n) at = file.find(signature, at + 1);
  EXPECT_NE(at, std::string::npos);
  return file.replace(at + offset, bytes.size(), bytes);
}

const std::string kLocal = "PK\x03\x04";
const std::string kCentral = "PK\x01\x02";
const std::string kEnd = "PK\x05\x06";

TEST_F(ZipReader, ReadsEveryLayout) {
  for (const bool descriptors : {false, true}) {
    for (const bool zip64 : {false, true}) {
      for (const bool crcs : {false, true}) {
        ZipOptions options{descriptors, zip64, crcs, ""};
        EXPECT_EQ(read_all(zip_file(entries_, options)), entries_) << descriptors << zip64 << crcs;
      }
    }
  }
}

TEST_F(ZipReader, ReadsAnArchiveWithAComment) {
  ZipOptions options;
  options.comment = "a comment with PK\x05\x06 in it";
  EXPECT_EQ(read_all(zip_file(entries_, options)), entries_);
}

TEST_F(ZipReader, ReadsAnEmptyArchive) { EXPECT_TRUE(read_all(zip_file({})).empty()); }

TEST_F(ZipReader, RefusesEveryTruncation) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = zip_file(entries_, {true, zip64, true, ""});
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      EXPECT_NE(refusal_of([&] { read_all(whole.substr(0, bytes)); }), "") << bytes;
    }
  }
}

TEST_F(ZipReader, FindsEveryFlippedBitOfTheData) {
  const std::string whole = zip_file({{"r/a", "0123456789"}});
  const std::size_t at = whole.find("0123456789");
  for (std::size_t bit = 0; bit < 80; ++bit) {
    std::string damaged = whole;
    damaged[at + bit / 8] = static_cast<char>(damaged[at + bit / 8] ^ (1 << bit % 8));
    expect_refused(damaged, "'r/a': CRC-32 is wrong");
  }
}

TEST_F(ZipReader, TakesAllZeroCrcsAsNotComputedButNotOneAmongOthers) {
  const std::string without = zip_file(entries_, {true, false, false, ""});
  std::string damaged = without;
  damaged[damaged.find("first")] = 'F';
  EXPECT_EQ(read_all(damaged)[0].second, "First");
  expect_refused(patched(zip_file(entries_), kCentral, 0, 16, std::string(4, '\0')), "CRC-32");
}

TEST_F(ZipReader, RefusesCompressedAndEncryptedEntries) {
  expect_refused(patched(zip_file(entries_), kCentral, 0, 10, "\x08"), "'r/a' is compressed");
  expect_refused(patched(zip_file(entries_), kCentral, 0, 8, "\x09"), "'r/a' is encrypted");
}

TEST_F(ZipReader, RefusesANameTwice) {
  expect_refused(zip_file({{"r/a", "1"}, {"r/a", "2"}}),
                 "ambiguous: zip entry 'r/a' is there twice");
}

TEST_F(ZipReader, RefusesADirectoryThatNamesAnotherEntry) {
  expect_refused(patched(zip_file(entries_), kCentral, 0, 46, "r/x"), "does not lead to it");
  expect_refused(patched(zip_file(entries_), kCentral, 0, 42, "\x01"), "does not lead to it");
}

TEST_F(ZipReader, RefusesEntriesThatOverlap) {
  // A first entry that is long enough to hold the second.
  const std::string inner = zip_file({{"r/b", "2"}});
  const std::string file = zip_file({{"r/a", inner}, {"r/b", "2"}}, {false, false, false, ""});
  const std::size_t place = file.find(inner);
  expect_refused(patched(file, kCentral, 2, 42, std::string(1, static_cast<char>(place))),
                 "overlap");
}

TEST_F(ZipReader, RefusesPlacesAndSizesOutsideTheData) {
  const std::string file = zip_file(entries_);
  expect_refused(patched(file, kCentral, 0, 42, "\xff\xff\xff\x7f"), "truncated");
  expect_refused(patched(file, kCentral, 0, 20, "\xff\xff\xff\x7f"), "beyond the data part");
  expect_refused(patched(file, kCentral, 0, 24, "\x04"), "two sizes");
  expect_refused(patched(file, kCentral, 0, 20, "\xff\xff\xff\xff"), "64-bit size is missing");
  expect_refused(patched(file, kCentral, 0, 28, "\xff\xff"), "damaged at entry 0");
  const std::string file64 = zip_file(entries_, {true, true, true, ""});
  // The 64-bit sizes lie behind the name, an unknown field and the field's own head.
  expect_refused(patched(file64, kCentral, 0, 46 + 3 + 6 + 4, "\xff\xff\xff\xff\xff\xff\xff\x7f"),
                 "too big");
}

TEST_F(ZipReader, RefusesADirectoryThatDoesNotAddUp) {
  const std::string file = zip_file(entries_);
  expect_refused(patched(file, kEnd, 0, 10, std::string("\x02\x00", 2)), "more entries");
  expect_refused(patched(file, kEnd, 0, 10, std::string("\x04\x00", 2)), "damaged at entry 3 of 4");
  expect_refused(patched(file, kEnd, 0, 12, "\x01"), "not where the end record says");
  expect_refused(patched(file, kEnd, 0, 16, "\xff\xff\xff\x7f"), "not where the end record says");
  expect_refused(patched(file, kEnd, 0, 4, "\x01"), "several parts");
  expect_refused("junk" + file, "not where the end record says");
  const std::string file64 = zip_file(entries_, {true, true, true, ""});
  expect_refused(patched(file64, "PK\x06\x06", 0, 0, "xx"), "64-bit end record");
  expect_refused(patched(file64, "PK\x06\x07", 0, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"),
                 "truncated");
  expect_refused(patched(file64, kEnd, 0, 10, std::string("\x02\x00", 2)), "contradict");
  expect_refused(patched(file64, "PK\x06\x06", 0, 32, "\xff\xff\xff\xff\xff\xff\xff\x7f"),
                 "too big");
}

TEST_F(ZipReader, RefusesMoreBytesThanTheReaderWants) {
  const FileBytes file(put_file(folder_.path(), "a.zip", zip_file(entries_)));
  const ZipArchive archive(file);
  EXPECT_NE(refusal_of([&] { archive.read("r/c", 2999); }).find("too big"), std::string::npos);
  EXPECT_EQ(archive.read("r/c", 3000).size(), 3000U);
  EXPECT_NE(refusal_of([&] { archive.read("r/d", 1); }).find("'r/d' is missing"),
            std::string::npos);
}

TEST(FileBytes, ComputesTheCheckValueOfCrc32) {
  const vsr::test::TemporaryFolder folder;
  const FileBytes file(put_file(folder.path(), "a", "x123456789"));
  EXPECT_EQ(file.crc32(1, 9), 0xCBF43926U);
  EXPECT_EQ(file.crc32(0, 0), 0U);
}

TEST(FileBytes, RefusesARangeOutsideBeforeAllocatingIt) {
  const vsr::test::TemporaryFolder folder;
  const FileBytes file(put_file(folder.path(), "a", "12345"));
  for (const auto& [offset, bytes] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 6}, {5, 1}, {6, 0}, {1, ~std::uint64_t{0}}, {~std::uint64_t{0}, 2}}) {
    EXPECT_NE(refusal_of([&] { file.read(offset, bytes); }).find("truncated"), std::string::npos);
  }
  EXPECT_TRUE(file.read(5, 0).empty());
}

TEST(FileBytes, RefusesWhatIsNoRegularFile) {
  const vsr::test::TemporaryFolder folder;
  EXPECT_NE(refusal_of([&] { FileBytes file(folder.path() / "none"); }).find("No such file"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { FileBytes file(folder.path()); }).find("not a regular file"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { FileBytes file("/dev/zero"); }).find("not a regular file"),
            std::string::npos);
}

}  // namespace
}  // namespace vsr::model
