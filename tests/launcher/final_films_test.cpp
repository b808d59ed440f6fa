#include "final_films.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/job/job_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace vsr::launcher {
namespace {

namespace fs = std::filesystem;

class Stamp : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"film one.mkv", "film_two.mkv"}) {
      films_.push_back(directory_.final_dir() / name);
      write_file(films_.back(), "a film");
    }
    write_stamp(directory_, "identity\n", films_);
  }

  test::TemporaryFolder folder_;
  store::RunDirectory directory_{folder_.path() / "run"};
  std::vector<fs::path> films_;
};

TEST_F(Stamp, SaysThatTheFilmsAreMade) {
  EXPECT_EQ(finished_films(directory_, "identity\n"), films_);
}

TEST_F(Stamp, OfAnotherJobSaysNothing) {
  EXPECT_FALSE(finished_films(directory_, "another identity\n"));
}

TEST_F(Stamp, WithoutItsFilmsSaysNothing) {
  write_file(films_[1], "cut");
  EXPECT_FALSE(finished_films(directory_, "identity\n"));
  fs::remove(films_[1]);
  EXPECT_FALSE(finished_films(directory_, "identity\n"));
  fs::remove(directory_.final_stamp());
  EXPECT_FALSE(finished_films(directory_, "identity\n"));
}

TEST(FinalIdentity, ChangesWithWhatTheFilmsDependOnAndNothingElse) {
  const store::Plan plan;
  const auto identity = [&](const char* key, const char* value) {
    return final_identity(make_job({{"input.file", "film.mkv"}, {key, value}}, {}), plan);
  };
  const std::string as_is = identity("final.crf", "16");
  EXPECT_NE(identity("final.crf", "17"), as_is);
  EXPECT_NE(identity("final.crf", "17"), identity("final.crf", "18"));
  EXPECT_EQ(identity("stream.prefetch", "4"), identity("stream.prefetch", "9"));
}

}  // namespace
}  // namespace vsr::launcher
