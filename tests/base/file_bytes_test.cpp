#include "vsr/base/file_bytes.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

namespace vsr {
namespace {

TEST(FileBytes, AreWrittenOneBehindTheOtherAndReadFromAnywhere) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a";
  write_file(path, "what stood here before");
  FileBytes file = FileBytes::to_write(path);
  file.write("abc");
  file.write("");
  file.write("defg");
  file.close();
  EXPECT_EQ(read_file(path), "abcdefg");

  const FileBytes again = FileBytes::to_read(path);
  EXPECT_EQ(again.size(), 7U);
  EXPECT_EQ(again.read(0, 3), "abc");
  EXPECT_EQ(again.read(5, 100), "fg");
  EXPECT_EQ(again.read(7, 1), "");
  EXPECT_EQ(again.read(~std::uint64_t{0}, 1), "");
}

TEST(FileBytes, FailWithTheFilesName) {
  const test::TemporaryFolder folder;
  for (const auto& path : {folder.path() / "missing", folder.path()}) {
    try {
      FileBytes::to_read(path);
      ADD_FAILURE() << "no error for " << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kStorage);
      EXPECT_EQ(std::string(error.what()).rfind(path.string(), 0), 0U) << error.what();
    }
  }
}

TEST(FileBytes, AFullDiskIsToldApart) {
  FileBytes file = FileBytes::to_write("/dev/full");
  EXPECT_THROW(file.write("abc"), DiskFull);
}

}  // namespace
}  // namespace vsr
