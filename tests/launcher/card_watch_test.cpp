#include "card_watch.hpp"

#include "cluster/deadline.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace vsr::launcher {
namespace {

TEST(CardWatch, TellsWhatWasReadLast) {
  const cluster::test::Deadline deadline(60);
  std::atomic<int> readings = 0;
  CardWatch watch([&] {
    return gpu::CardReading{.memory_used = 1, .memory = 2, .load = ++readings > 1 ? 0.75 : 0.25};
  });
  while (watch.now().load != 0.75) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(watch.now().memory, 2);
}

TEST(CardWatch, NobodyWaitsForADriverThatHangs) {
  const cluster::test::Deadline deadline(60);
  auto hang = std::make_shared<std::promise<void>>();
  std::promise<void> gone;  // by the thread that was left behind
  {
    const auto last = std::shared_ptr<void>(nullptr, [&](void*) { gone.set_value(); });
    CardWatch watch([hang, last, end = hang->get_future().share()] {
      end.wait();
      return gpu::CardReading{.load = 1};
    });
    EXPECT_EQ(watch.now().load, -1);
  }
  hang->set_value();
  gone.get_future().wait();
}

}  // namespace
}  // namespace vsr::launcher
