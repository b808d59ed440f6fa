#include "vsr/media/frames_ahead.hpp"

#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <cstddef>
#include <exception>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace vsr::media {

namespace {

constexpr std::size_t kAhead = 4;

using Buffer = std::vector<std::byte>;

}  // namespace

struct FramesAhead::Impl {
  const Timeline timeline;
  const std::function<std::int64_t(std::int64_t)> number;
  const std::int64_t count;
  const int threads;
  BoundedQueue<Buffer> filled{kAhead};
  BoundedQueue<Buffer> empty{kAhead + 2};
  Buffer taken;
  std::exception_ptr failure;  // the thread's, until it has closed `filled`
  std::thread thread;

  Impl(const Timeline& film,
       std::function<std::int64_t(std::int64_t)> wanted,
       std::int64_t frames,
       int decoders)
      : timeline(film), number(std::move(wanted)), count(frames), threads(decoders) {
    for (std::size_t i = 0; i < kAhead + 1; ++i) empty.push(Buffer(packed_bytes(film.format)));
    thread = std::thread([this] { work(); });
  }

  ~Impl() {
    filled.abort();
    empty.abort();
    thread.join();
  }

  void work() {
    try {
      read_all();
    } catch (...) {
      failure = std::current_exception();
    }
    filled.close();
  }

  void read_all() {
    std::optional<FrameReader> reader;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t wanted = number(i);
      if (!reader) reader.emplace(timeline, wanted, threads);
      PictureView picture;
      while (reader->position() <= wanted) {
        if (!reader->read(picture)) {
          throw Error(ErrorCode::kInput, format("{}: has no frame {}", timeline.source, wanted));
        }
      }
      auto buffer = empty.pop();
      if (!buffer) return;
      copy_picture(picture, packed_view(timeline.format, buffer->data()));
      if (!filled.push(std::move(*buffer))) return;
    }
  }
};

FramesAhead::FramesAhead(const Timeline& timeline,
                         std::function<std::int64_t(std::int64_t)> number,
                         std::int64_t count,
                         int threads)
    : impl_(std::make_unique<Impl>(timeline, std::move(number), count, threads)) {}

FramesAhead::~FramesAhead() = default;

bool FramesAhead::read(PictureView& picture) {
  if (!impl_->taken.empty()) impl_->empty.push(std::move(impl_->taken));
  impl_->taken.clear();
  auto buffer = impl_->filled.pop();
  if (!buffer) {
    if (impl_->failure) std::rethrow_exception(impl_->failure);
    return false;
  }
  impl_->taken = std::move(*buffer);
  picture = packed_view(impl_->timeline.format, impl_->taken.data());
  return true;
}

}  // namespace vsr::media
