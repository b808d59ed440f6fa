#include "encoder_pool.hpp"

#include "segment_packets.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

namespace vsr::media {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

EncoderPool::EncoderPool(std::vector<Encode> encoders, std::size_t most_inside, Take take)
    : most_inside_(most_inside), take_(std::move(take)), encoders_(std::move(encoders)) {
  try {
    for (const Encode& encode : encoders_) threads_.emplace_back([&] { work(encode); });
  } catch (const std::system_error& error) {
    stop();
    throw Error(
        ErrorCode::kInternal,
        format("{} threads for encoders cannot be started: {}", encoders_.size(), error.what()));
  }
}

EncoderPool::~EncoderPool() { stop(); }

void EncoderPool::stop() {
  std::deque<Waiting> dropped;  // freed outside the lock: that calls their owners
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(waiting_);
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void EncoderPool::fail(std::exception_ptr failure) {
  std::deque<Waiting> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    dropped.swap(waiting_);
  }
  filled_.notify_all();
  taken_or_failed_.notify_all();
}

void EncoderPool::send(FramePtr picture) {
  {
    std::unique_lock lock(mutex_);
    taken_or_failed_.wait(
        lock, [&] { return failure_ || static_cast<std::size_t>(sent_ - taken_) < most_inside_; });
    if (failure_) std::rethrow_exception(failure_);
    waiting_.push_back({sent_++, std::move(picture)});
  }
  filled_.notify_one();
}

void EncoderPool::finish() {
  std::unique_lock lock(mutex_);
  taken_or_failed_.wait(lock, [&] { return failure_ || taken_ == sent_; });
  if (failure_) std::rethrow_exception(failure_);
}

double EncoderPool::busy_s() const {
  const std::lock_guard lock(mutex_);
  return std::max(encoding_s_ / static_cast<double>(encoders_.size()), taking_s_);
}

void EncoderPool::work(const Encode& encode) {
  while (true) {
    Waiting next;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [&] { return stopped_ || failure_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    try {
      const auto begin = Clock::now();
      EncodedPicture encoded{.packet = encode(*next.picture)};
      next.picture.reset();
      encoded.checksum =
          packet_checksum({encoded.packet->data, static_cast<std::size_t>(encoded.packet->size)});
      encoded.spent_s = seconds_since(begin);
      {
        const std::lock_guard lock(mutex_);
        encoding_s_ += encoded.spent_s;
      }
      hand_over(next.number, std::move(encoded));
    } catch (...) {
      fail(std::current_exception());
    }
  }
}

// Whichever thread brings the picture whose turn it is takes it, and all behind it that are there
// already or come meanwhile.
void EncoderPool::hand_over(std::int64_t number, EncodedPicture encoded) {
  std::unique_lock lock(mutex_);
  done_.emplace(number, std::move(encoded));
  if (taking_) return;
  taking_ = true;  // for good if take_ throws: nothing may follow what is missing
  while (!stopped_ && !failure_) {
    auto turn = done_.extract(taken_);
    if (turn.empty()) break;
    lock.unlock();
    const auto begin = Clock::now();
    take_(turn.mapped());
    const double spent_s = seconds_since(begin);
    turn = {};  // the packet is freed outside the lock
    lock.lock();
    taking_s_ += spent_s;
    ++taken_;
    taken_or_failed_.notify_all();
  }
  taking_ = false;
}

}  // namespace vsr::media
