// A source whose disk goes away while the films are made.
#include "failing_reads.hpp"
#include "film_fixture.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace vsr::assemble {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(FailingSource, IsAnErrorAndNoFilmWithHalfItsSound) {
  const test::TemporaryFolder folder;
  AssembleSpec spec = test::make_segments(folder.path(), {.frames = 50});
  spec.source = test::make_source(folder.path() / "film.mkv", 2, "sine=d=2", {"-c:a", "pcm_s16le"});
  spec.options.variants = {AudioVariant::kPitchOk};
  const test::FailingReads gone(spec.source, std::filesystem::file_size(spec.source) / 2);
  try {
    test::assemble_all(spec);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("film.mkv"), HasSubstr("Input/output error")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(spec.out_dir));
}

}  // namespace
}  // namespace vsr::assemble
