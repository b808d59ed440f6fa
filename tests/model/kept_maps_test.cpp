// Where features lie while a network goes through windows that remember: visits in the engine's
// order by kernels that only check what they read, with copies at the worst of times.
#include "fused/kept_maps.hpp"

#include "emulated_streams.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace vsr::model::fused {
namespace {

constexpr int kHeight = 1;
constexpr int kWidth = 2;
constexpr int kChannels = 16;
constexpr std::size_t kValues = std::size_t{kHeight} * kWidth * kChannels;
constexpr std::size_t kMapBytes = kValues * 2;
constexpr std::int64_t kPast = 2;
constexpr std::int64_t kBatch = 4;  // of spatial features
constexpr std::size_t kBranches = 4;

// A network in nothing but its reading and writing of kept maps.
class Network {
 public:
  Network(std::int64_t longest, bool on_host) : stream_(0) {
    Arena measuring;
    const KeptMaps measured(measuring, longest + kPast, kHeight, kWidth, kChannels, on_host);
    arena_ = Arena(measuring.bytes(), stream_.view());
    kept_ = KeptMaps(arena_, longest + kPast, kHeight, kWidth, kChannels, on_host);
    kept_.take_host_memory(stream_.view());
  }

  // A window of `count` frames that gives the first `given`, and goes on with the sequence or
  // begins one. `steps`: it breaks off within that many visits.
  void run(std::int64_t count,
           std::int64_t given,
           bool continues,
           std::int64_t steps = std::numeric_limits<std::int64_t>::max()) {
    const std::int64_t known = continues ? count_ - given_ : 0;
    first_ = continues ? first_ + given_ : 0;
    count_ = count;
    given_ = given;
    left_ = steps;
    extract(std::min(known, count));
    for (std::size_t q = 0; q < kBranches; ++q) go_through(q, q + 1 < kBranches ? count : given);
  }

  void finish(std::minstd_rand& random) { test::run_streams(random); }

  int wrong() const { return wrong_; }

  const KeptMaps& kept() const { return kept_; }

 private:
  using Value = std::uint16_t;

  void extract(std::int64_t known) {
    for (std::int64_t t = known; t < count_;) {
      const std::int64_t images = std::min({kBatch, count_ - t, kept_.in_a_row(first_ + t)});
      for (std::int64_t i = 0; i < images; ++i) kept_.begin({.frame = first_ + t + i});
      const Map maps = kept_.at(0, first_ + t, static_cast<int>(images));
      for (std::int64_t i = 0; i < images; ++i) {
        compute({}, image_of(maps, i), {0, first_ + t + i});
      }
      for (std::int64_t i = 0; i < images; ++i) kept_.end({.frame = first_ + t + i});
      t += images;
    }
  }

  void go_through(std::size_t q, std::int64_t end) {
    const bool backward = q % 2 == 0;
    for (std::int64_t i = 0; i < end; ++i) {
      const std::int64_t t = backward ? end - 1 - i : i;
      const KeptMaps::Visit visit{.reads = q + 1,
                                  .frame = first_ + t,
                                  .direction = backward ? -1 : 1,
                                  .to_come = end - 1 - i,
                                  .past = std::min(kPast, backward ? i : first_ + i)};
      if (left_ <= 0) return;
      kept_.begin(visit);
      step(visit);
      if (--left_ == 0) return;  // broken off within the visit
      kept_.end(visit);
    }
  }

  void step(const KeptMaps::Visit& visit) {
    std::vector<Key> reads;
    for (std::size_t kind = 0; kind < visit.reads; ++kind) reads.emplace_back(kind, visit.frame);
    if (visit.reads == KeptMaps::kKinds) return compute(reads, {}, {});
    for (std::int64_t i = 1; i <= visit.past; ++i) {
      reads.emplace_back(visit.reads, visit.frame - i * visit.direction);
    }
    const Key made(visit.reads, visit.frame);
    compute(reads, kept_.at(made.first, made.second), made);
  }

  using Key = std::pair<std::size_t, std::int64_t>;  // kind and frame

  // Looks twice at what it reads and writes in two halves.
  void compute(const std::vector<Key>& reads, const Map& out, const Key& made) {
    std::vector<std::pair<const Value*, Value>> expected;
    for (const Key& key : reads) {
      const Map map = kept_.at(key.first, key.second);
      expected.emplace_back(static_cast<const Value*>(map.data), newest_.at(key));
    }
    auto* const to = static_cast<Value*>(out.data);
    const Value value = ++last_value_;
    if (to != nullptr) newest_[made] = value;
    const auto look = [this, expected] {
      for (const auto& [values, wanted] : expected) {
        for (std::size_t i = 0; i < kValues; ++i) wrong_ += values[i] == wanted ? 0 : 1;
      }
    };
    const auto write = [to, value](std::size_t begin) {
      if (to != nullptr) std::fill_n(to + begin, kValues / 2, value);
    };
    test::queue_kernel(
        stream_.view(),
        [=] {
          look();
          write(0);
        },
        [=] {
          look();
          write(kValues / 2);
        });
  }

  gpu::Stream stream_;
  Arena arena_;
  KeptMaps kept_;
  std::int64_t first_ = 0;
  std::int64_t count_ = 0;
  std::int64_t given_ = 0;
  std::int64_t left_ = 0;
  std::map<Key, Value> newest_;
  Value last_value_ = 0;
  int wrong_ = 0;
};

class KeptOnHost : public ::testing::Test {
 protected:
  std::minstd_rand random_{1};
};

TEST_F(KeptOnHost, EveryKernelFindsWhatTheLastOneWrote) {
  for (const std::int64_t longest : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 30}) {
    for (std::int64_t look_ahead = 0; look_ahead < std::min<std::int64_t>(longest, 4);
         ++look_ahead) {
      Network network(longest, true);
      for (int window = 0; window < 12; ++window) {
        network.run(longest, longest - look_ahead, window > 0);
      }
      network.run(longest, longest, true);
      network.finish(random_);
      EXPECT_EQ(network.wrong(), 0) << longest << " frames, " << look_ahead << " ahead";
    }
  }
}

TEST_F(KeptOnHost, WindowsOfAnyLengthMayFollowEachOther) {
  for (int film = 0; film < 100; ++film) {
    Network network(12, true);
    std::int64_t ahead = 0;
    for (int window = 0; window < 20; ++window) {
      const bool continues = window > 0 && random_() % 5 > 0;
      const std::int64_t least = continues ? ahead + 1 : 1;
      const std::int64_t count = least + static_cast<std::int64_t>(random_() % 12) % (13 - least);
      ahead = static_cast<std::int64_t>(random_() % 4) % count;
      network.run(count, count - ahead, continues);
      if (random_() % 3 == 0) network.finish(random_);
    }
    network.finish(random_);
    ASSERT_EQ(network.wrong(), 0) << "film " << film;
  }
}

TEST_F(KeptOnHost, AWindowMayBreakOffAnywhere) {
  constexpr std::int64_t kVisits = 33;  // of a window that gives 6 of 9 frames
  for (std::int64_t steps = 1; steps <= kVisits; ++steps) {
    Network network(9, true);
    network.run(9, 6, false);
    network.run(9, 6, true, steps);
    network.run(7, 5, false);
    network.run(9, 9, true);
    network.finish(random_);
    EXPECT_EQ(network.wrong(), 0) << "after " << steps;
  }
}

TEST_F(KeptOnHost, WhatLiesInTheRingIsNotCopiedUp) {
  for (const std::int64_t frames : {3, 4, 5, 40}) {
    const test::Queued before = test::queued_so_far();
    Network network(frames, true);
    network.run(frames, frames, false);
    const test::Queued after = test::queued_so_far();
    EXPECT_EQ(after.down - before.down, 4 * frames);
    // Of the first branch's maps one, of the second's two, ... at each frame but those at a turn.
    const std::int64_t away = std::max<std::int64_t>(0, frames - KeptMaps::kRing);
    EXPECT_EQ(after.up - before.up, (1 + 2 + 3 + 4) * away);
    network.finish(random_);
  }
}

TEST_F(KeptOnHost, TakesARingOfTheDeviceAndTheRestOfTheHost) {
  Arena measuring;
  const KeptMaps kept(measuring, 81 + kPast, 30, 50, 20, true);
  const std::size_t map = std::size_t{30} * 50 * 32 * 2;  // channels are padded
  const std::size_t in_ring = (4 * map + 255) / 256 * 256;
  EXPECT_EQ(kept.capacity(), 84);  // whole rings
  EXPECT_EQ(kept.host_bytes(), 4 * 84 * map);
  EXPECT_EQ(measuring.bytes(), 4 * in_ring);
}

TEST_F(KeptOnHost, TooMuchForTheHostIsOutOfMemory) {
  Arena measuring;
  KeptMaps kept(measuring, std::int64_t{1} << 33, 1000, 1000, 64, true);
  EXPECT_THROW(kept.take_host_memory({}), OutOfMemory);
}

TEST(KeptOnDevice, NothingIsCopiedAndNobodyWaits) {
  std::minstd_rand random(1);
  const test::Queued before = test::queued_so_far();
  Network network(9, false);
  EXPECT_EQ(network.kept().capacity(), 9 + kPast);
  EXPECT_EQ(network.kept().host_bytes(), 0u);
  network.run(9, 6, false);
  for (int window = 0; window < 5; ++window) network.run(9, 6, true);
  const test::Queued after = test::queued_so_far();
  EXPECT_EQ(after.up, before.up);
  EXPECT_EQ(after.down, before.down);
  EXPECT_EQ(after.holds, before.holds);
  network.finish(random);
  EXPECT_EQ(network.wrong(), 0);
}

// That the tests above would see it: a kernel that does not wait finds something else.
TEST(EmulatedStreams, WhatNothingOrdersComesInAnyOrder) {
  std::minstd_rand random(1);
  const gpu::Stream writer(0);
  const gpu::Stream reader(0);
  int missed = 0;
  for (int i = 0; i < 100; ++i) {
    int value = 0;
    test::queue_kernel(
        writer.view(), [] {}, [&] { value = 1; });
    test::queue_kernel(
        reader.view(), [&] { missed += 1 - value; }, [] {});
    test::run_streams(random);
  }
  EXPECT_GT(missed, 10);
  EXPECT_LT(missed, 90);
}

}  // namespace
}  // namespace vsr::model::fused
