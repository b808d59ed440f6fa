// The communicator over real MPI and the whole room on top of it. Started by mpirun: every rank
// goes through all tests in the same order, with the one communicator of the process.
#include "deadline.hpp"
#include "pattern.hpp"
#include "test_support.hpp"
#include "vsr/base/file_bytes.hpp"
#include "vsr/base/format.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/cluster/communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace vsr::cluster {
namespace {

using test::pattern;
using ::testing::HasSubstr;

constexpr int kDeadline_s = 60;
constexpr double kGather_s = 10;

std::unique_ptr<Communicator>& world() {
  static std::unique_ptr<Communicator> communicator;
  return communicator;
}

void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

class Mpi : public ::testing::Test {
 protected:
  // Nobody starts a test before all have ended the last one...
  void SetUp() override { gather_all(""); }

  // ...and nobody speaks of the next before rank 0 has heard all of this one, as in the program,
  // where a broadcast follows gather().
  void TearDown() override { end_of_list(); }

  int rank() const { return world()->rank(); }

  int size() const { return world()->size(); }

  // Everyone's text on every rank. What was still under way to rank 0 is dropped: a rank that is
  // told to stop says that it leaves, and nobody may be there to hear it.
  std::string gather_all(const std::string& own) {
    constexpr std::string_view kMark = "text of a test: ";
    world()->send(0, std::string(kMark) + own);
    std::string all;
    for (int heard = 0; rank() == 0 && heard < size();) {
      const auto message = world()->poll();
      if (!message) {
        nap(1);
      } else if (message->bytes.starts_with(kMark)) {
        all += message->bytes.substr(kMark.size());
        ++heard;
      }
    }
    world()->broadcast(all);
    return all;
  }

  // Every rank calls it. On rank 0 what came of it; on the others always ok.
  SegmentOutcome run(int segments,
                     const std::function<SegmentOutcome(int segment, int attempt)>& make) {
    const Runner runner = [&](const Task& task, const std::function<void()>&) {
      return make(task.segment, task.attempt);
    };
    SegmentOutcome end{.ok = true};
    if (rank() == 0) {
      Tasks tasks;
      tasks.weights.assign(static_cast<std::size_t>(segments), 10);
      tasks.done.assign(static_cast<std::size_t>(segments), false);
      end =
          coordinate(*world(), tasks, runner, stop_, [this](const Progress& p) { done_ = p.done; });
      dismiss(*world());
    } else {
      serve(*world(), runner, {}, stop_);
    }
    end_of_list();
    return end;
  }

  // Nobody says what is not of the list before rank 0 has heard everybody's farewell.
  static void end_of_list() {
    std::string go_on;
    world()->broadcast(go_on);
  }

  std::atomic<int> stop_ = 0;
  int done_ = 0;

 private:
  test::Deadline deadline_{kDeadline_s};
};

TEST_F(Mpi, RanksAreThoseOfTheStart) {
  const char* started = std::getenv("VSR_TEST_RANKS");
  ASSERT_NE(started, nullptr) << "started without VSR_TEST_RANKS";
  EXPECT_EQ(size(), std::atoi(started));
  EXPECT_EQ(world()->local_size(), size());  // one host
  EXPECT_EQ(world()->local_rank(), rank());
}

TEST_F(Mpi, GatherBringsEverythingInRankOrder) {
  const auto bytes_of = [](int rank) {
    return rank == 1 ? std::string() : pattern(3'000'000, static_cast<unsigned>(rank));
  };
  const auto all = gather(*world(), bytes_of(rank()), kGather_s);
  if (rank() != 0) {
    EXPECT_TRUE(all.empty());
    return;
  }
  ASSERT_EQ(all.size(), static_cast<std::size_t>(size()));
  for (int from = 0; from < size(); ++from) {
    EXPECT_TRUE(all[static_cast<std::size_t>(from)] == bytes_of(from)) << "of rank " << from;
  }
}

TEST_F(Mpi, GatherNamesWhoDoesNotAnswer) {
  if (size() == 1) GTEST_SKIP() << "needs another rank";
  if (rank() == 0) {
    try {
      gather(*world(), "", 0.2);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCluster);
      EXPECT_THAT(error.what(), HasSubstr(size() == 2 ? "rank 1 did not" : "rank 1, 2, 3 did not"));
    }
  }
}

TEST_F(Mpi, BroadcastOfAFewBytesNoneAndManyMegabytes) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{48} << 20}) {
    std::string bytes = rank() == 0 ? pattern(length, 5) : "what stood here before";
    world()->broadcast(bytes);
    EXPECT_TRUE(bytes == pattern(length, 5)) << length << " bytes";
  }
}

TEST_F(Mpi, MessagesKeepTheirOrderAndLength) {
  const int to = (rank() + 1) % size();
  constexpr int kMessages = 40;
  // Lengths around the limit up to which MPI sends without asking first.
  const auto message = [](int i) {
    return pattern(static_cast<std::size_t>(i) * (i % 2 == 0 ? 1 : 20'000),
                   static_cast<unsigned>(i));
  };
  for (int i = 0; i < kMessages; ++i) world()->send(to, message(i));
  for (int i = 0; i < kMessages;) {
    const auto got = world()->poll();
    if (!got) {
      nap(1);
      continue;
    }
    EXPECT_EQ(got->from, (rank() + size() - 1) % size());
    EXPECT_TRUE(got->bytes == message(i)) << "message " << i;
    ++i;
  }
  world()->flush(5);
}

TEST_F(Mpi, EverySegmentIsMadeOnce) {
  std::string made;
  const auto end = run(40, [&](int segment, int) -> SegmentOutcome {
    nap(2);
    made += format("[{}]", segment);
    return {.ok = true};
  });
  EXPECT_TRUE(end.ok) << end.message;
  const std::string all = gather_all(made);
  for (int segment = 0; segment < 40; ++segment) {
    const std::string name = format("[{}]", segment);
    EXPECT_THAT(all, HasSubstr(name));
    EXPECT_EQ(all.find(name), all.rfind(name)) << name << " was made twice";
  }
  EXPECT_FALSE(made.empty()) << "rank " << rank() << " had nothing to do";
  if (rank() == 0) {
    EXPECT_EQ(done_, 40);
  }
}

TEST_F(Mpi, ASegmentThatThrowsWhatIsNoErrorOfOursGoesElsewhere) {
  std::string made;
  const auto end = run(12, [&](int segment, int attempt) -> SegmentOutcome {
    nap(2);
    if (segment % 4 == 3 && attempt == 1) throw std::runtime_error("out of cheese");
    made += format("[{}]", segment);
    return {.ok = true};
  });
  EXPECT_TRUE(end.ok) << end.message;
  const std::string all = gather_all(made);
  for (int segment = 0; segment < 12; ++segment) {
    EXPECT_THAT(all, HasSubstr(format("[{}]", segment)));
  }
}

TEST_F(Mpi, ThrownEverywhereItEndsTheRunWithItsText) {
  const auto end =
      run(4, [&](int, int) -> SegmentOutcome { throw std::runtime_error("out of cheese"); });
  if (rank() == 0) {
    EXPECT_FALSE(end.ok);
    EXPECT_EQ(end.code, ErrorCode::kInternal);
    EXPECT_THAT(end.message, HasSubstr("out of cheese"));
  }
}

TEST_F(Mpi, ARankThatFailsForGoodEndsTheRunAndIsNamed) {
  const int culprit = size() - 1;
  const auto end = run(400, [&](int, int) -> SegmentOutcome {
    nap(3);
    if (rank() == culprit) throw Error(ErrorCode::kModel, "not the checkpoint of the plan");
    return {.ok = true};
  });
  if (rank() == 0) {
    EXPECT_EQ(end.code, ErrorCode::kModel);
    EXPECT_THAT(end.message, HasSubstr("not the checkpoint of the plan"));
    EXPECT_THAT(end.message, HasSubstr(size() > 1 ? format("(rank {})", culprit) : ""));
    EXPECT_LT(done_, 400);
  }
}

TEST_F(Mpi, StopNowReachesEveryRankInTheMiddleOfASegment) {
  std::atomic<bool> interrupted = false;
  const auto end = run(8, [&](int, int) -> SegmentOutcome {
    if (rank() == 0) {
      nap(50);
      stop_ = static_cast<int>(Stop::kNow);
    }
    while (stop_.load() < static_cast<int>(Stop::kNow)) nap(1);
    interrupted = true;
    return {.ok = false, .code = ErrorCode::kInterrupted};
  });
  EXPECT_TRUE(interrupted) << "rank " << rank() << " had no segment in hand";
  EXPECT_EQ(stop_.load(), static_cast<int>(Stop::kNow));
  if (rank() == 0) {
    EXPECT_EQ(end.code, ErrorCode::kInterrupted);
    EXPECT_EQ(done_, 0);
  }
}

TEST_F(Mpi, StopAfterSegmentKeepsWhatIsInHand) {
  std::atomic<int> made = 0;
  const auto end = run(400, [&](int, int) -> SegmentOutcome {
    if (rank() == 0) stop_ = static_cast<int>(Stop::kAfterSegment);
    nap(20);
    ++made;
    return {.ok = true};
  });
  EXPECT_EQ(stop_.load(), static_cast<int>(Stop::kAfterSegment));
  const std::string all = gather_all(std::string(static_cast<std::size_t>(made.load()), 'm'));
  if (rank() == 0) {
    EXPECT_EQ(end.code, ErrorCode::kInterrupted);
    EXPECT_EQ(static_cast<std::size_t>(done_), all.size()) << "made and not counted";
    EXPECT_LT(done_, 400);
  }
}

// Everybody but rank 0 reads a film of which only rank 0 sees anything, and puts what it has read.
// With VSR_TEST_MEGABYTES=2000 it is that large, for the figures that are printed.
TEST_F(Mpi, FilesGoBothWays) {
  if (size() == 1) GTEST_SKIP() << "needs another rank";
  const char* wanted = std::getenv("VSR_TEST_MEGABYTES");
  const std::size_t megabytes = wanted == nullptr ? 20 : std::strtoul(wanted, nullptr, 10);
  const vsr::test::TemporaryFolder folder;
  const auto film = folder.path() / "film";
  const std::string megabyte = pattern(1'000'000, 3);
  if (rank() == 0) {
    FileBytes file = FileBytes::to_write(film);
    for (std::size_t i = 0; i < megabytes; ++i) file.write(megabyte);
    file.close();
  }
  FarFiles files(stop_);
  FileService service({.to_read = [&](const std::string&) { return folder.path() / "film"; },
                       .to_write = [&](const std::string& name) { return folder.path() / name; },
                       .written = [](const std::string&) {}});
  using Clock = std::chrono::steady_clock;
  double read_s = 0;
  double put_s = 0;
  int bad = 0;
  const Runner runner = [&](const Task&, const std::function<void()>&) -> SegmentOutcome {
    const auto own = folder.path() / "own";
    const Clock::time_point begin = Clock::now();
    {
      FileBytes copy = FileBytes::to_write(own);
      const auto source = files.open("film");
      std::string some(1'000'000, '\0');
      for (std::size_t i = 0; i < megabytes; ++i) {
        for (std::size_t got = 0; got < some.size();) {
          got += source->read(i * some.size() + got,
                              std::as_writable_bytes(std::span(some)).subspan(got));
        }
        if (some != megabyte) ++bad;
        copy.write(some);
      }
      copy.close();
    }
    const Clock::time_point read = Clock::now();
    files.put(own, format("of-{}", rank()));
    read_s = std::chrono::duration<double>(read - begin).count();
    put_s = std::chrono::duration<double>(Clock::now() - read).count();
    return {.ok = true};
  };
  if (rank() == 0) {
    Tasks tasks{.files = &service};
    tasks.weights.assign(static_cast<std::size_t>(size() - 1), 10);
    tasks.done.assign(static_cast<std::size_t>(size() - 1), false);
    tasks.ranks.assign(static_cast<std::size_t>(size()), {});
    tasks.ranks[0].upscales = false;
    const auto end =
        coordinate(*world(), tasks, runner, stop_, [this](const Progress& p) { done_ = p.done; });
    EXPECT_TRUE(end.ok) << end.message;
    dismiss(*world());
    for (int from = 1; from < size(); ++from) {
      EXPECT_EQ(std::filesystem::file_size(folder.path() / format("of-{}", from)),
                megabytes * 1'000'000);
      EXPECT_TRUE(FileBytes::to_read(folder.path() / format("of-{}", from))
                      .read((megabytes - 1) * 1'000'000, 1'000'000) == megabyte);
    }
  } else {
    serve(*world(), runner, {}, stop_, &files);
  }
  EXPECT_EQ(bad, 0);

  struct rusage used {};

  ::getrusage(RUSAGE_SELF, &used);
  std::printf("rank %d: %zu MB, read in %.2f s, put in %.2f s, %ld MB of memory at most\n",
              rank(),
              megabytes,
              read_s,
              put_s,
              used.ru_maxrss / 1024);
}

}  // namespace
}  // namespace vsr::cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  {
    const vsr::cluster::test::Deadline deadline(30);
    vsr::cluster::world() = vsr::cluster::make_communicator();
  }
  // One rank tells what passes; all tell what fails.
  if (vsr::cluster::world()->rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());

    class Failures : public testing::EmptyTestEventListener {
      void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.failed()) return;
        std::fprintf(stderr,
                     "rank %d: %s:%d: %s\n",
                     vsr::cluster::world()->rank(),
                     result.file_name() == nullptr ? "" : result.file_name(),
                     result.line_number(),
                     result.message());
      }
    };

    listeners.Append(new Failures);
  }
  const int status = RUN_ALL_TESTS();
  const vsr::cluster::test::Deadline deadline(30);
  vsr::cluster::world().reset();
  return status;
}
