#include "vsr/media/scene_cuts.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vsr::media {

namespace {

// Samples averaged to one, across and down.
constexpr int kPart = 8;

// How far frames of two scenes are apart at least: in root mean square, of full scale and of what
// changes within the scenes. The shipped clip, a camera that swings, moves by up to 9 of 255; other
// scenes are 45 and more from it.
constexpr double kLeastAcross = 12.0 / 255;
constexpr double kLeastRatio = 3;

// More of them only take memory: there is a decoder in each.
constexpr int kMostReaders = 8;

LumaSamples averaged(const LumaSamples& samples) {
  LumaSamples parts{std::max(1, samples.width / kPart),
                    std::max(1, samples.height / kPart),
                    samples.bit_depth,
                    {}};
  for (int row = 0; row < parts.height; ++row) {
    for (int column = 0; column < parts.width; ++column) {
      std::uint64_t sum = 0;
      std::uint64_t count = 0;
      for (int y = row * samples.height / parts.height;
           y < (row + 1) * samples.height / parts.height;
           ++y) {
        for (int x = column * samples.width / parts.width;
             x < (column + 1) * samples.width / parts.width;
             ++x) {
          sum +=
              samples.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(samples.width) +
                             static_cast<std::size_t>(x)];
          ++count;
        }
      }
      parts.values.push_back(static_cast<std::uint16_t>((sum + count / 2) / count));
    }
  }
  return parts;
}

// Of frames that follow each other, from every one to the next.
double largest_step(std::span<const LumaSamples> frames) {
  double largest = 0;
  for (std::size_t i = 1; i < frames.size(); ++i) {
    largest = std::max(largest, mean_square_difference(frames[i - 1], frames[i]));
  }
  return largest;
}

double least_distance(std::span<const LumaSamples> some, std::span<const LumaSamples> others) {
  double least = 1;
  for (const LumaSamples& one : some) {
    for (const LumaSamples& other : others) {
      least = std::min(least, mean_square_difference(one, other));
    }
  }
  return least;
}

// Decodes what is asked for, one place after another.
class CutFinder {
 public:
  CutFinder(const Timeline& timeline, std::function<void()> count)
      : timeline_(timeline), count_(std::move(count)) {}

  std::optional<std::int64_t> nearest_to_middle(const FrameRange& place) {
    const std::int64_t middle = (place.begin + place.end - 1) / 2;
    const std::int64_t first = std::max<std::int64_t>(place.begin, kFramesBesideCut);
    const std::int64_t end = std::min(place.end, timeline_.frames() - kFramesBesideCut + 1);
    std::optional<std::int64_t> nearest;
    if (first < end) go_to(first - kFramesBesideCut);
    for (std::int64_t cut = first; cut < end; ++cut) {
      if (nearest && cut - middle >= middle - *nearest) break;
      read_until(cut + kFramesBesideCut);
      if (!is_scene_cut(std::vector<LumaSamples>(seen_.begin(), seen_.end()))) continue;
      if (!nearest || cut - middle < middle - *nearest) nearest = cut;
    }
    return nearest;
  }

 private:
  // Where the film cannot be entered a new reader would begin at its start once more.
  void go_to(std::int64_t frame) {
    if (timeline_.seekable || !reader_)
      reader_ = std::make_unique<FrameReader>(timeline_, frame, 1);
    read_until(frame);
  }

  void read_until(std::int64_t frame) {
    while (reader_->position() < frame) {
      PictureView picture;
      if (!reader_->read(picture)) throw Error(ErrorCode::kInternal, "no frame beside a cut");
      count_();
      seen_.push_back(sample_luma(picture));
      if (seen_.size() > 2 * kFramesBesideCut) seen_.pop_front();
    }
  }

  const Timeline& timeline_;
  std::function<void()> count_;
  std::unique_ptr<FrameReader> reader_;
  std::deque<LumaSamples> seen_;  // the last ones before reader_->position()
};

}  // namespace

bool is_scene_cut(std::span<const LumaSamples> frames) {
  if (frames.size() != 2 * kFramesBesideCut) {
    throw Error(ErrorCode::kInternal, "a cut needs frames on both sides");
  }
  std::vector<LumaSamples> parts;
  parts.reserve(frames.size());
  for (const LumaSamples& frame : frames) parts.push_back(averaged(frame));
  const auto before = std::span(parts).first(kFramesBesideCut);
  const auto behind = std::span(parts).last(kFramesBesideCut);
  const double across = least_distance(before, behind);
  const double within = std::max(largest_step(before), largest_step(behind));
  return across > kLeastAcross * kLeastAcross && across > kLeastRatio * kLeastRatio * within;
}

std::vector<std::int64_t> find_scene_cuts(const Timeline& timeline,
                                          const PictureFormat& source,
                                          const std::vector<FrameRange>& places,
                                          int threads,
                                          const std::function<bool(std::int64_t)>& progress) {
  // Each frame is made of one picture of the source: which one, no filter changes.
  Timeline unfiltered = timeline;
  if (!timeline.own_mezzanine) {
    unfiltered.filters.clear();
    unfiltered.format = source;
    unfiltered.preroll_pictures = 0;
  }
  std::mutex mutex;
  std::int64_t decoded = 0;  // guarded by mutex, as is this
  std::exception_ptr failure;
  std::atomic<bool> stopped = false;
  const auto count = [&] {
    if (stopped) throw Error(ErrorCode::kInterrupted, "stopped");
    const std::lock_guard lock(mutex);
    if (progress && !progress(++decoded)) throw Error(ErrorCode::kInterrupted, "stopped");
  };
  std::vector<std::optional<std::int64_t>> found(places.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    try {
      CutFinder finder(unfiltered, count);
      for (std::size_t i = next++; i < places.size(); i = next++) {
        found[i] = finder.nearest_to_middle(places[i]);
      }
    } catch (...) {
      stopped = true;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  int readers = std::min(threads > 0 ? threads : usable_cpus(), kMostReaders);
  if (!timeline.seekable) readers = 1;
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(places.size(), static_cast<std::size_t>(readers)); ++i) {
    others.emplace_back(work);
  }
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
  std::vector<std::int64_t> cuts;
  for (const auto& cut : found) {
    if (cut) cuts.push_back(*cut);
  }
  return cuts;
}

}  // namespace vsr::media
