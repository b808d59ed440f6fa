// FarFiles and FileService: rank 0 and rank 1 as threads, and between them a wire that can be cut
// and can tear what it carries.
#include "vsr/cluster/far_files.hpp"

#include "deadline.hpp"
#include "message.hpp"
#include "pattern.hpp"
#include "test_support.hpp"
#include "thread_world.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/format.hpp"
#include "vsr/cluster/cluster.hpp"
#include "vsr/cluster/file_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace vsr::cluster {
namespace {

namespace fs = std::filesystem;
using test::pattern;
using ::testing::HasSubstr;

void nap(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

constexpr std::size_t kPiece = 1u << 20;

class FilesFromAfar : public ::testing::Test {
 protected:
  // `own`: whether the messages are carried here; else coordinate() and serve() do it.
  void start(double silence_s = 20, double say_every_s = 5) {
    files_ = std::make_unique<FarFiles>(stop_, silence_s);
    service_ = std::make_unique<FileService>(served_, say_every_s);
    zero_ = std::thread([this] {
      const auto communicator = world_.rank(0);
      while (!over_) {
        if (const auto message = communicator->poll()) {
          Note note = decode(message->bytes);
          ++asked_;
          if (to_zero_) to_zero_(note);
          if (answering_) service_->receive(message->from, std::move(note));
          continue;
        }
        service_->speak(*communicator);
        nap(1);
      }
    });
    one_ = std::thread([this] {
      const auto communicator = world_.rank(1);
      while (!over_) {
        files_->speak(*communicator);
        if (const auto message = communicator->poll()) {
          Note note = decode(message->bytes);
          ++heard_;
          if (to_one_) to_one_(note);
          files_->receive(note);
          continue;
        }
        nap(1);
      }
    });
  }

  void TearDown() override {
    over_ = true;
    if (zero_.joinable()) zero_.join();
    if (one_.joinable()) one_.join();
  }

  fs::path there(const std::string& name) const { return folder_.path() / "there" / name; }

  fs::path here(const std::string& name) const { return folder_.path() / "here" / name; }

  ErrorCode code_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      what_ = error.what();
      return error.code();
    }
    what_ = "no error";
    return ErrorCode::kInternal;
  }

  static void read_all(FarFiles& files, const std::string& name, std::string& into) {
    const auto source = files.open(name);
    into.resize(source->size());
    for (std::size_t at = 0; at < into.size();) {
      at += source->read(at, std::as_writable_bytes(std::span(into)).subspan(at));
    }
  }

  test::Deadline deadline_{60};
  vsr::test::TemporaryFolder folder_;
  ServedFiles served_{.to_read =
                          [this](const std::string& name) {
                            if (name == "secret") throw Error(ErrorCode::kCluster, "not for ranks");
                            return there(name);
                          },
                      .to_write = [this](const std::string& name) { return there(name); },
                      .written = [this](const std::string& name) { written_.push_back(name); }};
  std::vector<std::string> written_;  // the service's writer's, until TearDown
  std::atomic<int> stop_ = 0;
  test::ThreadWorld world_{2};
  std::unique_ptr<FarFiles> files_;
  std::unique_ptr<FileService> service_;
  // What the wire does to messages; set before start().
  std::function<void(Note&)> to_zero_;
  std::function<void(Note&)> to_one_;
  std::atomic<bool> answering_ = true;
  std::atomic<int> asked_ = 0;  // messages at rank 0
  std::atomic<int> heard_ = 0;  // at rank 1
  std::string what_;

 private:
  std::atomic<bool> over_ = false;
  std::thread zero_;
  std::thread one_;

  void SetUp() override {
    make_directories(there(""));
    make_directories(here(""));
  }
};

TEST_F(FilesFromAfar, HoldTheSameBytesAnywhere) {
  const std::string whole = pattern(20 * kPiece + 12'345);
  write_file(there("film"), whole);
  start();
  std::string read;
  read_all(*files_, "film", read);
  EXPECT_TRUE(read == whole);
  EXPECT_LT(asked_, 30) << "read twice";

  const auto source = files_->open("film");
  EXPECT_EQ(source->size(), whole.size());
  std::string some(100, '\0');
  for (const std::size_t at :
       {std::size_t{0}, 19 * kPiece, whole.size() - 100, kPiece - 50, kPiece * 7}) {
    std::size_t got = 0;
    while (got < 100) {
      got += source->read(at + got, std::as_writable_bytes(std::span(some)).subspan(got));
    }
    EXPECT_TRUE(some == whole.substr(at, 100)) << at;
  }
  EXPECT_EQ(source->read(whole.size(), std::as_writable_bytes(std::span(some))), 0U);
  EXPECT_EQ(source->read(~std::uint64_t{0}, std::as_writable_bytes(std::span(some))), 0U);
}

TEST_F(FilesFromAfar, AreNotReadWhereNobodyLooks) {
  write_file(there("film"), pattern(40 * kPiece));
  start();
  const auto source = files_->open("film");
  std::byte one{};
  for (const std::size_t at : {0, 30, 3, 20, 11}) source->read(at * kPiece, {&one, 1});
  EXPECT_LE(asked_, 6);
}

TEST_F(FilesFromAfar, MayBeEmptyOrSmall) {
  write_file(there("empty"), "");
  write_file(there("small"), "abc");
  write_file(there("large"), pattern(2 * kPiece));
  start();
  EXPECT_EQ(files_->read("empty"), "");
  EXPECT_EQ(files_->read("small"), "abc");
  EXPECT_TRUE(files_->read("large") == pattern(2 * kPiece));
  EXPECT_EQ(code_of([&] { files_->read("large", kPiece); }), ErrorCode::kStorage);
}

TEST_F(FilesFromAfar, FailAsTheyDoAtRankZero) {
  start();
  EXPECT_EQ(code_of([&] { files_->open("missing"); }), ErrorCode::kStorage);
  EXPECT_THAT(what_, HasSubstr("missing: cannot be opened: No such file"));
  EXPECT_EQ(code_of([&] { files_->open("secret"); }), ErrorCode::kCluster);
  EXPECT_EQ(what_, "not for ranks");
}

TEST_F(FilesFromAfar, NoMoreThanEightPiecesAreUnderWayHoweverManyRead) {
  write_file(there("film"), pattern(30 * kPiece));
  start();
  std::vector<std::unique_ptr<ByteSource>> sources;
  std::byte one{};
  for (int i = 0; i < 5; ++i) {
    sources.push_back(files_->open("film"));
    sources.back()->read(0, {&one, 1});
  }
  answering_ = false;
  asked_ = 0;
  std::vector<std::thread> readers;
  for (auto& source : sources) {
    readers.emplace_back([&source] {  // each goes on, and so asks for five
      std::byte next{};
      EXPECT_THROW(source->read(kPiece, {&next, 1}), Error);
    });
  }
  while (asked_ < 8) nap(1);
  nap(50);
  EXPECT_EQ(asked_, 8);
  stop_ = static_cast<int>(Stop::kNow);
  for (auto& reader : readers) reader.join();
}

TEST_F(FilesFromAfar, AFileThatShrinksIsNoticed) {
  write_file(there("film"), pattern(3 * kPiece));
  start();
  const auto source = files_->open("film");
  write_file(there("film"), pattern(kPiece));
  std::byte one{};
  EXPECT_EQ(code_of([&] { source->read(0, {&one, 1}); }), ErrorCode::kInput);
  EXPECT_THAT(what_, HasSubstr("film: has 1048576 bytes, and had 3145728"));
}

TEST_F(FilesFromAfar, ATornPieceIsAskedForOnceMore) {
  const std::string whole = pattern(3 * kPiece);
  write_file(there("film"), whole);
  int torn = 0;
  to_one_ = [&](Note& note) {
    if (note.kind == Kind::kBytes && note.parcel.offset == kPiece && torn++ == 0) {
      note.parcel.bytes[17] ^= 1;
    }
  };
  start();
  std::string read;
  read_all(*files_, "film", read);
  EXPECT_TRUE(read == whole);
  EXPECT_EQ(torn, 2);
}

TEST_F(FilesFromAfar, TornTwiceIsAnError) {
  write_file(there("film"), pattern(3 * kPiece));
  to_one_ = [&](Note& note) {
    if (note.kind == Kind::kBytes && note.parcel.offset == kPiece) note.parcel.bytes.pop_back();
  };
  start();
  std::string read;
  EXPECT_EQ(code_of([&] { read_all(*files_, "film", read); }), ErrorCode::kCluster);
  EXPECT_THAT(what_, HasSubstr("film: the piece at 1048576 came torn twice"));
}

TEST_F(FilesFromAfar, RankZeroThatIsSilentIsGone) {
  write_file(there("film"), pattern(kPiece));
  start(0.3);
  const auto source = files_->open("film");
  answering_ = false;
  std::byte one{};
  EXPECT_EQ(code_of([&] { source->read(0, {&one, 1}); }), ErrorCode::kCluster);
  EXPECT_THAT(what_, HasSubstr("rank 0 has been silent"));
}

TEST_F(FilesFromAfar, ASlowDiskIsNotSilence) {
  write_file(there("film"), "abc");
  served_.to_read = [this](const std::string& name) {
    nap(1500);
    return there(name);
  };
  start(0.7, 0.1);
  EXPECT_EQ(files_->open("film")->size(), 3U);
}

TEST_F(FilesFromAfar, StopNowEndsEveryWait) {
  write_file(there("film"), pattern(kPiece));
  write_file(here("a"), pattern(kPiece));
  start();
  const auto source = files_->open("film");
  answering_ = false;
  std::atomic<int> interrupted = 0;
  const auto expect_interrupted = [&](const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) ++interrupted;
    }
  };
  std::byte one{};
  std::vector<std::thread> waiting;
  waiting.emplace_back([&] { expect_interrupted([&] { source->read(0, {&one, 1}); }); });
  for (int i = 0; i < 2; ++i) {  // one of them waits for its turn
    waiting.emplace_back([&] { expect_interrupted([&] { files_->put(here("a"), "a"); }); });
  }
  nap(50);
  stop_ = static_cast<int>(Stop::kAfterSegment);
  nap(250);
  EXPECT_EQ(interrupted, 0) << "what is in hand is finished";
  stop_ = static_cast<int>(Stop::kNow);
  for (auto& thread : waiting) thread.join();
  EXPECT_EQ(interrupted, 3);
}

// --- The other way -----------------------------------------------------------------------------

TEST_F(FilesFromAfar, ArePutWholeOrNotAtAll) {
  start();
  int n = 0;
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, kPiece, 9 * kPiece + 1}) {
    const std::string name = format("put-{}", n++);
    write_file(here(name), pattern(size));
    files_->put(here(name), name);
    EXPECT_TRUE(read_file(there(name)) == pattern(size)) << size;
    EXPECT_EQ(written_.back(), name);
    EXPECT_FALSE(fs::exists(part_name(there(name))));
  }
}

TEST_F(FilesFromAfar, NoMoreThanFourPiecesOfWhatIsPutAreUnderWay) {
  write_file(here("a"), pattern(30 * kPiece));
  start();
  answering_ = false;
  std::thread putting([&] { EXPECT_THROW(files_->put(here("a"), "a"), Error); });
  while (asked_ < 4) nap(1);
  nap(50);
  EXPECT_EQ(asked_, 4);
  EXPECT_FALSE(fs::exists(there("a")));
  stop_ = static_cast<int>(Stop::kNow);
  putting.join();
}

TEST_F(FilesFromAfar, ATornPieceIsPutOnceMore) {
  write_file(here("a"), pattern(9 * kPiece));
  int torn = 0;
  to_zero_ = [&](Note& note) {
    if (note.kind == Kind::kPut && note.parcel.offset == 2 * kPiece && torn++ == 0) {
      note.parcel.bytes[0] ^= 1;
    }
  };
  start();
  files_->put(here("a"), "a");
  EXPECT_TRUE(read_file(there("a")) == pattern(9 * kPiece));
  EXPECT_EQ(torn, 2);
}

TEST_F(FilesFromAfar, PutTornTwiceIsAnErrorAndNothingIsThere) {
  write_file(here("a"), pattern(9 * kPiece));
  write_file(here("b"), "abc");
  to_zero_ = [&](Note& note) {
    if (note.kind == Kind::kPut && note.parcel.offset == 2 * kPiece) note.parcel.bytes[0] ^= 1;
  };
  start();
  EXPECT_EQ(code_of([&] { files_->put(here("a"), "a"); }), ErrorCode::kCluster);
  EXPECT_THAT(what_, HasSubstr("a: the piece at 2097152 came torn twice"));
  EXPECT_FALSE(fs::exists(there("a")));
  files_->put(here("b"), "b");  // after what the service does with it
  EXPECT_FALSE(fs::exists(part_name(there("a"))));
  EXPECT_EQ(written_, std::vector<std::string>{"b"});
}

TEST_F(FilesFromAfar, PiecesThatAreWholeInAFileThatIsNotAreFound) {
  write_file(here("a"), pattern(2 * kPiece));
  to_zero_ = [&](Note& note) { note.parcel.whole ^= 1; };
  start();
  EXPECT_EQ(code_of([&] { files_->put(here("a"), "a"); }), ErrorCode::kCluster);
  EXPECT_THAT(what_, HasSubstr("came otherwise than it was sent"));
  EXPECT_FALSE(fs::exists(there("a")));
}

TEST_F(FilesFromAfar, AFullDiskThereIsTold) {
  write_file(here("a"), pattern(6 * kPiece));
  write_file(here("b"), pattern(6 * kPiece));
  served_.to_write = [this](const std::string& name) -> fs::path {
    if (name == "a") throw DiskFull("there");
    return there(name);
  };
  start();
  EXPECT_THROW(files_->put(here("a"), "a"), DiskFull);
  files_->put(here("b"), "b");  // the next one is taken all the same
  EXPECT_TRUE(read_file(there("b")) == pattern(6 * kPiece));
}

TEST_F(FilesFromAfar, WhatIsGivenUpLeavesRoomForTheNext) {
  write_file(here("a"), pattern(9 * kPiece, 1));
  start();
  answering_ = false;
  std::thread putting([&] { EXPECT_THROW(files_->put(here("a"), "a"), Error); });
  while (asked_ < 4) nap(1);
  stop_ = static_cast<int>(Stop::kNow);
  putting.join();
  stop_ = 0;
  answering_ = true;
  write_file(here("a"), pattern(9 * kPiece, 2));
  files_->put(here("a"), "a");
  EXPECT_TRUE(read_file(there("a")) == pattern(9 * kPiece, 2));
}

TEST_F(FilesFromAfar, SeveralMayBePutAtOnce) {
  start();
  std::vector<std::thread> putting;
  for (int i = 0; i < 4; ++i) {
    putting.emplace_back([&, i] {
      const std::string name = format("put-{}", i);
      write_file(here(name), pattern(3 * kPiece, static_cast<unsigned>(i)));
      files_->put(here(name), name);
    });
  }
  for (auto& thread : putting) thread.join();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(read_file(there(format("put-{}", i))) ==
                pattern(3 * kPiece, static_cast<unsigned>(i)));
  }
}

// --- In a run ----------------------------------------------------------------------------------

// Ranks read a film of which they see nothing, and rank 0 gets what they make of it.
TEST_F(FilesFromAfar, ARunOverRanksThatShareNothing) {
  constexpr int kRanks = 3;
  constexpr int kSegments = 12;
  const std::string film = pattern(kSegments * 300'000);
  write_file(there("film"), film);
  test::ThreadWorld world(kRanks);
  std::vector<std::thread> others;
  std::atomic<int> made_elsewhere = 0;
  for (int rank = 1; rank < kRanks; ++rank) {
    others.emplace_back([&, rank] {
      FarFiles files(stop_);
      const Runner runner = [&](const Task& task, const std::function<void()>&) {
        const auto source = files.open("film");
        std::string bytes(300'000, '\0');
        for (std::size_t got = 0; got < bytes.size();) {
          got += source->read(static_cast<std::uint64_t>(task.segment) * bytes.size() + got,
                              std::as_writable_bytes(std::span(bytes)).subspan(got));
        }
        const std::string name = format("segment-{}", task.segment);
        const fs::path own = here(format("{}-of-{}", name, rank));
        write_file(own, bytes);
        files.put(own, name);
        ++made_elsewhere;
        return SegmentOutcome{.ok = true};
      };
      serve(*world.rank(rank), runner, {}, stop_, &files);
    });
  }
  FileService service(served_);
  const auto communicator = world.rank(0);
  const Runner runner = [&](const Task& task, const std::function<void()>&) {
    nap(20);
    write_file(there(format("segment-{}", task.segment)),
               film.substr(static_cast<std::size_t>(task.segment) * 300'000, 300'000));
    return SegmentOutcome{.ok = true};
  };
  const SegmentOutcome end = coordinate(*communicator,
                                        {.weights = std::vector<std::int64_t>(kSegments, 1),
                                         .done = std::vector<bool>(kSegments, false),
                                         .files = &service},
                                        runner,
                                        stop_,
                                        [](const Progress&) {});
  dismiss(*communicator);
  for (auto& other : others) other.join();
  EXPECT_TRUE(end.ok) << end.message;
  EXPECT_GT(made_elsewhere, 0);
  for (int segment = 0; segment < kSegments; ++segment) {
    EXPECT_TRUE(read_file(there(format("segment-{}", segment))) ==
                film.substr(static_cast<std::size_t>(segment) * 300'000, 300'000))
        << segment;
  }
}

}  // namespace
}  // namespace vsr::cluster
