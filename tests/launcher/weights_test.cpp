#include "weights.hpp"

#include "cluster/deadline.hpp"
#include "cluster/thread_world.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/job/job_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace vsr::launcher {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t kSize = 100'000;

std::string pattern(std::size_t size, std::uint32_t state = 1) {
  std::string bytes(size, '\0');
  for (char& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

// Ranks as threads, each with a folder of its own where its checkpoint may be.
class ShareWeights : public ::testing::Test {
 protected:
  // What a rank ends with.
  struct End {
    std::string bytes;
    std::optional<ErrorCode> error;
    std::string message;
  };

  void SetUp() override {
    log::configure({.terminal = log::Level::kOff,
                    .file = log::Level::kInfo,
                    .path = (folder_.path() / "log").string(),
                    .json = true});
  }

  void TearDown() override { log::configure({}); }

  std::filesystem::path file_of(int rank) const {
    return folder_.path() / format("rank-{}.pth", rank);
  }

  WeightsOrder order(int rank, WeightsWay way) const {
    return {.offer = {.way = way, .bytes = weights_.size()},
            .wanted = encodes_only_ != rank,
            .file = file_of(rank).string(),
            .sha256 = sha256_of(weights_)};
  }

  // All ranks at once; by `order` as changed by `change`.
  std::vector<End> share(
      WeightsWay way,
      const std::function<void(int rank, WeightsOrder& order)>& change = [](int, WeightsOrder&) {
      }) {
    cluster::test::ThreadWorld world(kRanks);
    std::vector<End> ends(static_cast<std::size_t>(kRanks));
    std::vector<std::thread> threads;
    std::promise<std::string> sent;
    const std::shared_future<std::string> arrives = sent.get_future().share();
    for (int rank = 0; rank < kRanks; ++rank) {
      threads.emplace_back([&, rank] {
        End& end = ends[static_cast<std::size_t>(rank)];
        const auto communicator = world.rank(rank);
        WeightsOrder own = order(rank, way);
        change(rank, own);
        const FastWay fast = [&](std::span<std::byte> bytes) {
          if (rank == 0) sent.set_value({reinterpret_cast<char*>(bytes.data()), bytes.size()});
          if (const auto fault = faults_.find(rank); fault != faults_.end()) {
            throw Error(ErrorCode::kGpu, fault->second);
          }
          if (rank == 0) return;
          const std::string& all = arrives.get();
          std::copy(all.begin(), all.end(), reinterpret_cast<char*>(bytes.data()));
          if (rank == damaged_) bytes.front() ^= std::byte{1};
        };
        try {
          end.bytes = share_weights(*communicator, own, rank == 0 ? weights_ : "", fast);
        } catch (const Error& error) {
          end.error = error.code();
          end.message = error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    broadcasts_ = world.broadcasts();
    return ends;
  }

  void expect_all_have_them(const std::vector<End>& ends) const {
    for (int rank = 0; rank < kRanks; ++rank) {
      const End& end = ends[static_cast<std::size_t>(rank)];
      EXPECT_FALSE(end.error) << "rank " << rank << ": " << end.message;
      EXPECT_TRUE(end.bytes == (rank == encodes_only_ ? "" : weights_))
          << "rank " << rank << " has " << end.bytes.size() << " bytes";
    }
  }

  // Lines of the log of this level.
  std::vector<std::string> told(const std::string& level) {
    log::flush();
    std::istringstream log(read_file(folder_.path() / "log"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(log, line);) {
      if (line.find(format(R"("level":"{}")", level)) != std::string::npos) lines.push_back(line);
    }
    return lines;
  }

  static constexpr int kRanks = 3;

  test::TemporaryFolder folder_;
  std::string weights_ = pattern(kSize);
  std::vector<std::string> broadcasts_;  // of the last share()
  std::map<int, std::string> faults_;    // of the fast way, by rank
  int damaged_ = -1;                     // the rank where its bytes arrive damaged
  int encodes_only_ = -1;

 private:
  cluster::test::Deadline deadline_{60};
};

TEST_F(ShareWeights, TheFastWayIsAllThatIsNeeded) {
  expect_all_have_them(share(WeightsWay::kNccl));  // there is no file anywhere
  EXPECT_THAT(broadcasts_, ElementsAre(""));
  EXPECT_THAT(told("warning"), IsEmpty());
}

TEST_F(ShareWeights, ARankWhoseFastWayFailsReadsTheFile) {
  faults_[1] = "NCCL: out of cheese; buy some";
  write_file(file_of(1), weights_);
  expect_all_have_them(share(WeightsWay::kNccl));
  EXPECT_THAT(broadcasts_, ElementsAre(""));
  EXPECT_THAT(told("warning"), ElementsAre(HasSubstr("NCCL: out of cheese; buy some")));
}

TEST_F(ShareWeights, ADeadlineThatAllRunIntoIsOneWarningEach) {
  for (int rank = 0; rank < kRanks; ++rank) {
    faults_[rank] = "NCCL: not all ranks were found within 20 s; do this";
    write_file(file_of(rank), weights_);
  }
  expect_all_have_them(share(WeightsWay::kNccl));
  EXPECT_THAT(broadcasts_, ElementsAre(""));
  EXPECT_THAT(told("warning"), SizeIs(kRanks));
}

TEST_F(ShareWeights, WithoutTheFileTheyComeByMpi) {
  faults_[0] = faults_[2] = "NCCL: out of cheese; buy some";
  expect_all_have_them(share(WeightsWay::kNccl));
  EXPECT_TRUE(broadcasts_.back() == weights_);
  EXPECT_THAT(told("warning"), SizeIs(2));
  EXPECT_THAT(told("info"),
              ElementsAre(AllOf(HasSubstr("rank 2 gets the weights by MPI"),
                                HasSubstr(file_of(2).string()))));
}

TEST_F(ShareWeights, AnotherFileIsNotTaken) {
  faults_[1] = faults_[2] = "NCCL: out of cheese; buy some";
  write_file(file_of(1), pattern(kSize, 2));
  write_file(file_of(2), weights_ + "and more");
  expect_all_have_them(share(WeightsWay::kNccl));
  EXPECT_THAT(told("info"),
              ElementsAre(AllOf(HasSubstr("rank 1, 2 gets the weights by MPI"),
                                HasSubstr("another file than rank 0's"))));
}

TEST_F(ShareWeights, WhatArrivesDamagedByTheFastWayIsReadFromTheFile) {
  damaged_ = 1;
  write_file(file_of(1), weights_);
  expect_all_have_them(share(WeightsWay::kNccl));
  EXPECT_THAT(told("warning"), ElementsAre(HasSubstr("arrived damaged")));
}

TEST_F(ShareWeights, RanksThatOnlyEncodeGetNone) {
  for (const WeightsWay way : {WeightsWay::kNccl, WeightsWay::kMpi}) {
    for (const int rank : {0, 1}) {
      encodes_only_ = rank;
      if (way == WeightsWay::kNccl && rank == 0) continue;  // it gives them
      expect_all_have_them(share(way));
    }
  }
  EXPECT_THAT(told("warning"), IsEmpty());
}

TEST_F(ShareWeights, ByMpiTheyComeInPieces) {
  weights_ = pattern((std::size_t{32} << 20) + 7);
  expect_all_have_them(share(WeightsWay::kMpi));
  EXPECT_THAT(broadcasts_, ElementsAre(SizeIs(16u << 20), SizeIs(16u << 20), SizeIs(7)));
}

TEST_F(ShareWeights, DamagedByMpiTheyEndTheRun) {
  const auto ends = share(WeightsWay::kMpi, [](int rank, WeightsOrder& order) {
    if (rank == 2) order.sha256 = sha256_of("something else");
  });
  EXPECT_EQ(ends[2].error, ErrorCode::kCluster);
  EXPECT_THAT(ends[2].message, HasSubstr("arrived damaged"));
  EXPECT_FALSE(ends[1].error);
}

TEST_F(ShareWeights, WhereEveryRankHasItsOwnNothingIsSaid) {
  for (const End& end : share(WeightsWay::kOwn)) EXPECT_EQ(end.bytes, "");
  EXPECT_THAT(broadcasts_, IsEmpty());
}

// --- Which way ---------------------------------------------------------------------------------

WeightsWay way_of(const std::vector<Resources>& ranks,
                  const std::vector<cluster::Capacity>& capacities,
                  const KeyValues& values = {}) {
  KeyValues all = {{"input.file", "film.mkv"}, {"model.checkpoint", "weights.pth"}};
  for (const auto& value : values) all.push_back(value);
  return choose_weights_way(make_job(all, {}), ranks, capacities);
}

TEST(WeightsWay, NcclTakesAGpuOfItsOwnForEveryRank) {
  const Resources one{.gpu = "a card", .gpu_id = "GPU-1"};
  const Resources other{.gpu = "a card", .gpu_id = "GPU-2"};
  const Resources none;
  const cluster::Capacity up{.upscales = true};
  const cluster::Capacity encodes{.upscales = false, .encoders = 2};
  EXPECT_EQ(way_of({one, other}, {up, up}), WeightsWay::kNccl);
  EXPECT_EQ(way_of({one, none, other}, {up, encodes, up}), WeightsWay::kNccl);
  EXPECT_EQ(way_of({one, one}, {up, up}), WeightsWay::kMpi);
  EXPECT_EQ(way_of({one, one}, {up, encodes}), WeightsWay::kOwn);
  EXPECT_EQ(way_of({none, none}, {up, up}), WeightsWay::kMpi);
  EXPECT_EQ(way_of({one, other}, {up, up}, {{"stream.device", "cpu"}}), WeightsWay::kMpi);
  EXPECT_EQ(way_of({none, one, other}, {encodes, up, up}), WeightsWay::kMpi);
  EXPECT_EQ(way_of({one}, {up}), WeightsWay::kOwn);
  const Job embedded = make_job({{"input.file", "film.mkv"}}, {});
  EXPECT_EQ(choose_weights_way(embedded, {one, other}, {up, up}), WeightsWay::kOwn);
}

TEST(WeightsOffer, TravelsAsALine) {
  const WeightsOffer offer{
      .way = WeightsWay::kNccl, .bytes = 29'000'000, .nccl_id = std::string("\0\n\xff a", 5)};
  const std::string line = encode(offer);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const WeightsOffer back = decode_weights_offer(line);
  EXPECT_EQ(back.way, offer.way);
  EXPECT_EQ(back.bytes, offer.bytes);
  EXPECT_EQ(back.nccl_id, offer.nccl_id);
  EXPECT_EQ(decode_weights_offer(encode(WeightsOffer{})).way, WeightsWay::kOwn);
  for (const char* torn : {"", "nccl", "pigeon 12 ", "mpi twelve ", "nccl 12 0", "nccl 12 xy"}) {
    EXPECT_THROW(decode_weights_offer(torn), Error) << torn;
  }
}

TEST(WeightsOffer, IsOfThePlansFile) {
  const test::TemporaryFolder folder;
  const std::string file = (folder.path() / "weights.pth").string();
  const Job job = make_job({{"input.file", "film.mkv"}, {"model.checkpoint", file}}, {});
  const std::vector<cluster::Capacity> capacities(2);
  store::Plan plan;
  plan.identity["model"] = sha256_of("weights");
  const auto code = [&] {
    try {
      const Weights weights = offer_weights(job, plan, std::vector<Resources>(2), capacities);
      EXPECT_EQ(weights.bytes, "weights");
      EXPECT_EQ(weights.offer.bytes, 7u);
      EXPECT_EQ(weights.offer.way, WeightsWay::kMpi);
      return std::optional<ErrorCode>();
    } catch (const Error& error) {
      return std::optional(error.code());
    }
  };
  EXPECT_EQ(code(), ErrorCode::kStorage);
  write_file(file, "weights");
  EXPECT_EQ(code(), std::nullopt);
  write_file(file, "changed");
  EXPECT_EQ(code(), ErrorCode::kModel);
}

}  // namespace
}  // namespace vsr::launcher
