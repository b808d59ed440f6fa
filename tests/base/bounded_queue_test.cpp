#include "vsr/base/bounded_queue.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace vsr {
namespace {

TEST(BoundedQueue, KeepsOrderAcrossThreads) {
  BoundedQueue<int> queue(3);
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(queue.push(i));
    queue.close();
  });
  std::vector<int> got;
  while (auto item = queue.pop()) got.push_back(*item);
  producer.join();
  std::vector<int> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(got, expected);
}

TEST(BoundedQueue, FullQueueMakesTheProducerWait) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed = 0;
  std::thread producer([&] {
    for (int i = 0; i < 5; ++i) {
      queue.push(i);
      ++pushed;
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(pushed.load(), 2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(queue.pop(), i);
  producer.join();
}

TEST(BoundedQueue, ClosedQueueGivesWhatIsInside) {
  BoundedQueue<int> queue(4);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, AbortWakesProducerAndConsumer) {
  BoundedQueue<int> full(1);
  full.push(1);
  std::thread producer([&] { EXPECT_FALSE(full.push(2)); });
  BoundedQueue<int> empty(1);
  std::thread consumer([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  full.abort();
  empty.abort();
  producer.join();
  consumer.join();
  EXPECT_EQ(full.pop(), std::nullopt);
}

TEST(BoundedQueue, TellsWhetherThereIsRoom) {
  BoundedQueue<int> queue(1);
  const auto soon = std::chrono::milliseconds(1);
  EXPECT_TRUE(queue.wait_for_room(soon));
  queue.push(1);
  EXPECT_FALSE(queue.wait_for_room(soon));
  queue.pop();
  EXPECT_TRUE(queue.wait_for_room(soon));
  queue.push(2);
  queue.close();  // push() has nothing to wait for any more
  EXPECT_TRUE(queue.wait_for_room(soon));
}

}  // namespace
}  // namespace vsr
