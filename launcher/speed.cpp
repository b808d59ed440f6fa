#include "speed.hpp"

#include "vsr/assemble/trial_encode.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/pinned_buffer.hpp"
#include "vsr/model/cost.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <future>
#include <vector>

namespace vsr::launcher {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFrames = 4;

// x265 slow takes three core-seconds and more for a picture of 1440 lines, and as much for each of
// three as of a dozen (docs/performance.md): so a few are enough, and often all there is time for.
constexpr std::int64_t kFirstPictures = 3;
constexpr std::int64_t kMostPictures = 24;
constexpr std::size_t kMostBytes = std::size_t{512} << 20;  // that pictures of the film take
constexpr double kTrial_s = 10;
constexpr double kTrialAtMost_s = 30;
constexpr double kWayToPlace_s = 60;  // of film, where it has to be decoded from its start

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double processor_time_s() {
  std::timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// A few pictures of the film that follow each other, in memory.
class Excerpt {
 public:
  Excerpt(const media::Timeline& timeline, std::int64_t first, std::int64_t count) {
    media::FrameReader reader(timeline, first);
    PictureView picture;
    while (static_cast<std::int64_t>(views_.size()) < count && reader.read(picture)) {
      memory_.emplace_back(packed_bytes(picture.format));
      const MutablePictureView kept = packed_view(picture.format, memory_.back().data());
      copy_picture(picture, kept);
      views_.push_back(kept);
    }
  }

  std::vector<PictureView> first(std::int64_t count) const {
    return {views_.begin(), views_.begin() + std::min(count, size())};
  }

  std::int64_t size() const { return static_cast<std::int64_t>(views_.size()); }

 private:
  std::vector<std::vector<std::byte>> memory_;
  std::vector<PictureView> views_;
};

std::vector<Excerpt> read_excerpts(const media::Timeline& timeline, int places) {
  const std::size_t fit =
      kMostBytes / packed_bytes(timeline.format) / static_cast<std::size_t>(places);
  const std::int64_t count = std::min(
      {std::max(kFirstPictures, static_cast<std::int64_t>(fit)), kMostPictures, timeline.frames()});
  std::int64_t end = timeline.frames();
  if (!timeline.seekable) {
    end = std::min(end, static_cast<std::int64_t>(kWayToPlace_s * timeline.rate.to_double()));
  }
  std::vector<Excerpt> excerpts;
  for (int place = 0; place < places; ++place) {
    const std::int64_t middle = end * (2 * std::int64_t{place} + 1) / (2 * std::int64_t{places});
    const std::int64_t first = std::clamp<std::int64_t>(middle, 0, timeline.frames() - count);
    excerpts.emplace_back(timeline, first, count);
  }
  return excerpts;
}

struct Round {
  std::int64_t frames = 0;
  double core_s = 0;
  double wall_s = 0;
};

// Every excerpt's first pictures through an encoder of its own, all at once.
Round encode_round(const assemble::AssembleSpec& spec,
                   const media::Timeline& timeline,
                   const std::vector<Excerpt>& excerpts,
                   std::int64_t pictures,
                   const std::atomic<int>& stop) {
  const Clock::time_point begin = Clock::now();
  const double core_begin = processor_time_s();
  const auto go_on = [&](std::int64_t) {
    return stop.load() == 0 && seconds_since(begin) < kTrialAtMost_s;
  };
  std::vector<std::future<assemble::TrialEncode>> trials;
  trials.reserve(excerpts.size());
  for (const Excerpt& excerpt : excerpts) {
    trials.push_back(std::async(std::launch::async, [&] {
      return assemble::try_encode(spec, timeline.colour, excerpt.first(pictures), go_on);
    }));
  }
  Round round;
  double enlarging_s = 0;
  for (auto& trial : trials) {
    const assemble::TrialEncode made = trial.get();
    round.frames += made.frames;
    enlarging_s += made.enlarging_s;
  }
  round.core_s = processor_time_s() - core_begin - enlarging_s;
  round.wall_s = seconds_since(begin);
  if (stop.load() != 0) throw Error(ErrorCode::kInterrupted, "stopped");
  return round;
}

class Discard : public model::OutputSink {
 public:
  explicit Discard(const PictureFormat& format)
      : format_(format), memory_(packed_bytes(format), false) {}

  MutablePictureView acquire(std::size_t) override { return packed_view(format_, memory_.data()); }

  void deliver(std::size_t, gpu::Event ready) override { ready.wait(); }

 private:
  PictureFormat format_;
  gpu::PinnedBuffer memory_;
};

}  // namespace

double measure_gflop_per_s(const model::Checkpoint& checkpoint,
                           const model::UpscalerOptions& options) {
  model::UpscalerOptions small = options;
  small.tile = {};
  small.input = {.width = options.device.cuda ? 512 : 96,
                 .height = options.device.cuda ? 288 : 64,
                 .model = ColourModel::kGray,
                 .bit_depth = 8};
  small.output_width = 0;
  small.output_height = 0;
  small.prores_packets = false;  // what is measured is the network
  // Networks that work on full-resolution pictures do so at a quarter of the size.
  if (!checkpoint.shape().low_res_input) {
    small.input.width *= 4;
    small.input.height *= 4;
  }
  model::Upscaler upscaler(checkpoint, small);
  std::vector<std::byte> memory(packed_bytes(small.input));
  std::vector<model::LrFrame> window;
  for (int t = 0; t < kFrames; ++t) {
    for (std::size_t i = 0; i < memory.size(); ++i) {
      memory[i] = static_cast<std::byte>((i * 37 + static_cast<std::size_t>(t) * 11) % 200 + 20);
    }
    gpu::Event copied;
    window.push_back(upscaler.upload(packed_view(small.input, memory.data()), &copied));
    copied.wait();
  }
  Discard sink(upscaler.output_format());
  double seconds = 0;
  for (int round = 0; round < 2; ++round) {  // the first one loads and warms up
    const auto begin = std::chrono::steady_clock::now();
    upscaler.run(window, {0, kFrames}, sink);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return model::network_gflop(checkpoint.shape(), small.input) * kFrames / seconds;
}

EncodeSpeed measure_encode(const assemble::AssembleSpec& spec,
                           const media::Timeline& timeline,
                           int at_once,
                           const std::atomic<int>& stop) {
  const std::vector<Excerpt> excerpts = read_excerpts(timeline, at_once);
  const std::int64_t most = excerpts.front().size();
  Round round = encode_round(spec, timeline, excerpts, std::min(kFirstPictures, most), stop);
  const auto fit = static_cast<std::int64_t>((kTrial_s - round.wall_s) /
                                             std::max(0.01, round.wall_s) * kFirstPictures);
  if (fit >= 2 * kFirstPictures && most > kFirstPictures) {
    round = encode_round(spec, timeline, excerpts, std::min(fit, most), stop);
  }
  if (round.frames == 0) return {};
  return {.frames = round.frames,
          .core_s_frame = round.core_s / static_cast<double>(round.frames),
          .fps = static_cast<double>(round.frames) / round.wall_s};
}

}  // namespace vsr::launcher
