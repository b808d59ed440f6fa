// What a job that only encodes refuses, and what it says while it waits.
#include "encode_job.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/log.hpp"
#include "vsr/job/job_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const Resources kRank{.host = "pod-a", .cpus = 8, .encodes_only = true};

Job job_with(const KeyValues& values) {
  KeyValues all = {{"input.file", "film.mkv"}, {"status.listen", "off"}};
  all.insert(all.end(), values.begin(), values.end());
  return make_job(all, {});
}

std::string refusal(const KeyValues& values, bool fresh = false) {
  try {
    check_encode_job(job_with(values), {kRank}, fresh);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(EncodeJob, IsRefusedWhereItWouldHaveNothingToDo) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_THAT(refusal({{"segment.codec", "none"}}), HasSubstr("segment.codec = none"));
  EXPECT_THAT(refusal({{"final.encoder", "copy"}, {"final.height", "native"}}),
              HasSubstr("final.encoder = copy"));
  EXPECT_THAT(refusal({{"cluster.final", "central"}}), HasSubstr("cluster.final = central"));
  EXPECT_THAT(refusal({{"cluster.encoders", "0"}}), HasSubstr("cluster.encoders = 0"));
  EXPECT_THAT(refusal({{"final.encoder", "hevc_nvenc"}}), HasSubstr("needs a GPU"));
  EXPECT_THAT(refusal({}, true), HasSubstr("--fresh"));
}

class Waiting : public ::testing::Test {
 protected:
  // Warnings, as long as it lives.
  struct Heard {
    Heard() {
      log::Settings settings{.terminal = log::Level::kOff};
      settings.observer = [this](log::Level, std::string_view, std::string_view text) {
        const std::lock_guard lock(mutex);
        lines.emplace_back(text);
      };
      log::configure(settings);
    }

    ~Heard() { log::configure({}); }

    std::mutex mutex;
    std::vector<std::string> lines;
  };

  std::filesystem::path status_file() const { return directory_.status_file(leases_.job()); }

  test::TemporaryFolder folder_;
  store::RunDirectory directory_{folder_.path() / "run"};
  RunLeases leases_{directory_, 60, true};
  StatusPage page_{job_with({})};
  std::atomic<int> stop_ = 0;
};

TEST_F(Waiting, EndsWhenThePlanIsThereAndIsToldMeanwhile) {
  const Heard heard;
  auto waits =
      std::async(std::launch::async, [this] { wait_for_plan(directory_, leases_, page_, stop_); });
  // Ends the wait before the future's end would wait for it, should an assertion fail.
  const std::shared_ptr<void> guard(nullptr, [this](void*) { stop_ = 1; });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!std::filesystem::exists(status_file())) {
    ASSERT_NE(waits.wait_for(std::chrono::milliseconds(20)), std::future_status::ready);
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no status file";
  }
  const auto status = status::run_status_from_json(read_file(status_file()));
  EXPECT_EQ(status.state, "planning");
  EXPECT_THAT(status.message, HasSubstr("waits for the plan"));
  write_file(directory_.plan_file(), "a plan");
  ASSERT_EQ(waits.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  waits.get();
  ASSERT_THAT(heard.lines, SizeIs(1)) << "with --log-level=warning too";
  EXPECT_THAT(heard.lines[0], HasSubstr("waiting for the run's plan"));
  EXPECT_FALSE(std::filesystem::exists(status_file()));
  wait_for_plan(directory_, leases_, page_, stop_);  // at once
}

TEST_F(Waiting, ForThePlanEndsByASignal) {
  stop_ = 1;
  try {
    wait_for_plan(directory_, leases_, page_, stop_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_FALSE(std::filesystem::exists(status_file()));
}

TEST_F(Waiting, ForSegmentsIsToldWhereNobodyUpscalesAndNotAgainAtOnce) {
  RunFacts facts{.hosts = {"pod-a"}};
  facts.run.in_chunks = true;
  facts.segments.push_back({.index = 0, .core = {0, 100}, .input = {0, 100}});
  RankTeller own({.rank = 0, .host = "pod-a"});
  StatusBoard board(facts, own);
  board.begin_list(Ledger(1), Ledger(1));
  UpscalerWatch watch(leases_, board);
  Heard heard;
  EXPECT_FALSE(watch.look(1));
  EXPECT_FALSE(watch.look(1));
  ASSERT_THAT(heard.lines, SizeIs(1));
  EXPECT_THAT(heard.lines[0], HasSubstr("nobody upscales: 1 segment is missing"));
  EXPECT_THAT(board.status().message, HasSubstr("nobody upscales"));
  {
    const RunLeases another(directory_, 60, true);
    watch.look(1);
    EXPECT_THAT(board.status().message, HasSubstr("nobody upscales")) << "it only encodes, too";
  }
  {
    const RunLeases upscaler(directory_, 60);
    EXPECT_TRUE(watch.look(1));
    watch.look(1);
    EXPECT_EQ(board.status().message, "");
  }
  watch.look(0);
  EXPECT_EQ(board.status().message, "") << "nothing is missing, so nobody has to";
  ASSERT_THAT(heard.lines, SizeIs(1));
  watch.look(1);
  EXPECT_THAT(heard.lines, SizeIs(2)) << "somebody was there in between";
}

}  // namespace
}  // namespace vsr::launcher
