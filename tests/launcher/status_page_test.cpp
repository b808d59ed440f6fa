// Who may see the page, and which pictures it has.
#include "status_page.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;

class Token : public ::testing::Test {
 protected:
  ~Token() override {
    unsetenv("VSR_STATUS_TOKEN");
    log::configure({});
  }

  void write(const std::string& content, mode_t mode = 0600) {
    job_.status.token_file = (folder_.path() / "token").string();
    write_file(job_.status.token_file, content);
    ASSERT_EQ(chmod(job_.status.token_file.c_str(), mode), 0);
  }

  std::string refusal() {
    try {
      take_token(job_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "none";
  }

  test::TemporaryFolder folder_;
  Job job_;
};

TEST_F(Token, IsTheFilesFirstLine) {
  write("0123456789abcdef\r\nmore\n");
  EXPECT_EQ(take_token(job_), "0123456789abcdef");
}

TEST_F(Token, OfTheEnvironmentComesFirstAndIsTakenOutOfIt) {
  write("0123456789abcdef\n");
  setenv("VSR_STATUS_TOKEN", "fedcba9876543210", 1);
  EXPECT_EQ(take_token(job_), "fedcba9876543210");
  EXPECT_EQ(std::getenv("VSR_STATUS_TOKEN"), nullptr);
}

TEST_F(Token, NoneIsAskedForWhereNoneIsGiven) {
  EXPECT_EQ(take_token(job_), "");
  setenv("VSR_STATUS_TOKEN", "", 1);
  EXPECT_EQ(take_token(job_), "");
}

TEST_F(Token, AShortOneIsRefusedWithoutBeingSaid) {
  write("secret\n");
  EXPECT_THAT(refusal(), HasSubstr("has 6 characters, 16 at least"));
  EXPECT_THAT(refusal(), ::testing::Not(HasSubstr("secret")));
  write("\n");
  EXPECT_THAT(refusal(), HasSubstr("has 0 characters"));
}

TEST_F(Token, AFileThatIsNotThereIsAFaultOfTheJob) {
  job_.status.token_file = (folder_.path() / "none").string();
  EXPECT_THAT(refusal(), HasSubstr("status.token_file"));
}

TEST_F(Token, AFileThatOthersMayReadIsSaid) {
  std::string said;
  log::configure({.terminal_writer = [&](std::string_view line) { said += line; }});
  write("0123456789abcdef\n", 0600);
  take_token(job_);
  EXPECT_EQ(said, "");
  write("0123456789abcdef\n", 0644);
  take_token(job_);
  EXPECT_THAT(said, HasSubstr("others may read the token"));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("0123456789abcdef")));
}

TEST(PictureOf, IsFoundByItsName) {
  const Preview preview{7, "middle", "b", "a", "db", "da"};
  EXPECT_EQ(picture_of(preview, "before"), "b");
  EXPECT_EQ(picture_of(preview, "after"), "a");
  EXPECT_EQ(picture_of(preview, "detail-before"), "db");
  EXPECT_EQ(picture_of(preview, "detail-after"), "da");
  EXPECT_FALSE(picture_of({9, "worst", "wb", "wa", "", ""}, "detail-after").has_value());
  EXPECT_FALSE(picture_of(preview, "else").has_value());
}

TEST(Page, OfAnAddressThatOthersReachNeedsAToken) {
  Job job;
  job.status.listen = "0.0.0.0:0";
  EXPECT_THROW(StatusPage{job}, Error);
  job.status.listen = "off";
  StatusPage{job};
}

}  // namespace
}  // namespace vsr::launcher
