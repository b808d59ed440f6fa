#include "vsr/base/atomic_file.hpp"

#include "test_support.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace vsr {
namespace {

TEST(AtomicFile, ReplacesWholeAndLeavesNoPart) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file(path, "one");
  write_file(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_FALSE(std::filesystem::exists(part_name(path)));
}

TEST(AtomicFile, PublishRenamesThePart) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  std::ofstream(part_name(path)) << "pictures";
  EXPECT_FALSE(std::filesystem::exists(path));
  publish(path);
  EXPECT_EQ(read_file(path), "pictures");
}

TEST(AtomicFile, FailuresNameTheFileAndTheReason) {
  try {
    write_file("/nonexistent-folder/x", "text");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_NE(std::string(error.what()).find("/nonexistent-folder/x"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
}

TEST(AtomicFile, FullDiskIsSaidInWordsToActOn) {
  // /dev/full takes no byte: the file itself is a link to it.
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "x";
  std::filesystem::create_symlink("/dev/full", part_name(path));
  try {
    write_file(path, "text");
    FAIL() << "no error";
  } catch (const DiskFull& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("free some space"), std::string::npos);
  }
}

TEST(AtomicFile, RefusesToReadAFolderOrTooMuch) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read_file(folder.path()), Error);
  write_file(folder.path() / "x", "12345");
  EXPECT_THROW(read_file(folder.path() / "x", 4), Error);
  EXPECT_EQ(read_file(folder.path() / "x", 5), "12345");
}

TEST(AtomicFile, RemovingWhatIsNotThereIsNoError) {
  const test::TemporaryFolder folder;
  remove_file(folder.path() / "x");
  write_file(folder.path() / "x", "1");
  remove_file(folder.path() / "x");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "x"));
}

}  // namespace
}  // namespace vsr
