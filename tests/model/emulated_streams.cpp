#include "emulated_streams.hpp"

#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <map>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace vsr {

namespace {

struct Item {
  std::function<bool()> ready;
  std::function<void()> work;
};

using Queue = std::deque<Item>;

std::vector<Queue*>& queues() {  // the one that runs ahead first
  static std::vector<Queue*> all;
  return all;
}

test::Queued& counts() {
  static test::Queued counted;
  return counted;
}

// Where pinned memory begins and ends.
std::map<const std::byte*, const std::byte*>& pinned() {
  static std::map<const std::byte*, const std::byte*> all;
  return all;
}

bool is_pinned(const std::byte* memory) {
  return std::any_of(pinned().begin(), pinned().end(), [&](const auto& range) {
    return range.first <= memory && memory < range.second;
  });
}

void queue(gpu::StreamView stream, Item item) {
  static_cast<Queue*>(stream.handle)->push_back(std::move(item));
}

bool can_go(const Queue* waiting) { return !waiting->empty() && waiting->front().ready(); }

bool always() { return true; }

// False when no stream can go on.
bool do_one(std::minstd_rand& random) {
  if (random() % 50 == 0) std::shuffle(queues().begin(), queues().end(), random);
  const auto next = std::find_if(queues().begin(), queues().end(), can_go);
  if (next == queues().end()) return false;
  const Item item = std::move((*next)->front());
  (*next)->pop_front();
  item.work();
  return true;
}

}  // namespace

namespace test {

void queue_kernel(gpu::StreamView stream,
                  const std::function<void()>& begin,
                  const std::function<void()>& end) {
  queue(stream, {always, begin});
  queue(stream, {always, end});
}

void run_streams(std::minstd_rand& random) {
  while (do_one(random)) continue;
  for (const Queue* waiting : queues()) {
    if (!waiting->empty()) throw std::logic_error("a stream waits for what never comes");
  }
}

Queued queued_so_far() { return counts(); }

}  // namespace test

namespace gpu {

Stream::Stream(int device, bool /*urgent*/) : view_{new Queue, device} {
  queues().push_back(static_cast<Queue*>(view_.handle));
}

Stream::~Stream() {
  auto* const own = static_cast<Queue*>(view_.handle);
  if (own == nullptr) return;
  std::erase(queues(), own);
  delete own;
}

Stream::Stream(Stream&& other) noexcept : view_(std::exchange(other.view_, {})) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(view_, other.view_);
  return *this;
}

void Stream::wait() const { Event::record(view_).wait(); }

struct Event::State {
  bool happened = false;
};

Event Event::record(StreamView stream) {
  Event made;
  made.state_ = std::make_shared<State>();
  queue(stream, {always, [state = made.state_] { state->happened = true; }});
  return made;
}

void Event::wait() const {
  std::minstd_rand random;
  while (!done()) {
    if (!do_one(random)) throw std::logic_error("waits for what never comes");
  }
}

bool Event::done() const { return state_ == nullptr || state_->happened; }

void Event::hold(StreamView stream) const {
  if (state_ == nullptr) return;
  ++counts().holds;
  queue(stream, {[state = state_] { return state->happened; }, [] {}});
}

// In two halves, since others may look at what is copied meanwhile.
void copy_bytes_async(const void* from, void* to, std::size_t bytes, StreamView stream) {
  const auto* const source = static_cast<const std::byte*>(from);
  auto* const target = static_cast<std::byte*>(to);
  const std::size_t half = bytes / 2;
  counts().up += is_pinned(source) ? 1 : 0;
  counts().down += is_pinned(target) ? 1 : 0;
  test::queue_kernel(
      stream,
      [=] { std::memcpy(target, source, half); },
      [=] { std::memcpy(target + half, source + half, bytes - half); });
}

void clear_async(void* memory, std::size_t bytes, StreamView stream) {
  queue(stream, {always, [=] { std::memset(memory, 0, bytes); }});
}

DeviceBuffer::DeviceBuffer(std::size_t bytes, int /*device*/)
    : data_(::operator new(bytes)), size_(bytes) {}

DeviceBuffer::~DeviceBuffer() { ::operator delete(data_); }

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

PinnedBuffer::PinnedBuffer(std::size_t bytes, bool pinned)
    : data_(static_cast<std::byte*>(::operator new(bytes))),
      size_(bytes),
      kind_(pinned ? Kind::kDriver : Kind::kPlain) {
  vsr::pinned()[data_] = data_ + size_;
}

PinnedBuffer::~PinnedBuffer() {
  vsr::pinned().erase(data_);
  ::operator delete(data_);
}

}  // namespace gpu

}  // namespace vsr
