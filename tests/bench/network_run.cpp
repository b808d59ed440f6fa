#include "network_run.hpp"

#include "backends.hpp"
#include "clip.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "fused/tiles.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"

#include <time.h>

#include <chrono>
#include <vector>

namespace vsr::bench {

namespace fused = model::fused;

namespace {

double thread_cpu_s() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Of weights, window and graphs.
std::size_t predicted(const model::NetworkShape& shape,
                      const fused::Compute& compute,
                      const NetworkWork& work) {
  const std::size_t window =
      work.tiling
          ? fused::TiledEngine::window_bytes(shape, compute, *work.tiling, work.frames)
          : fused::Engine::window_bytes(shape, compute, {work.height, work.width}, work.frames);
  return window + fused::Engine::weight_bytes(shape) + fused::Engine::graph_bytes(work.frames);
}

fused::Compute compute_of(const NetworkWork& work, gpu::StreamView stream) {
  fused::Compute compute = fused::make_compute(work.precision, stream);
  compute.host_features = work.host_features;
  return compute;
}

}  // namespace

struct NetworkRun::Impl {
  Impl(const model::Checkpoint& checkpoint, const NetworkWork& what)
      : work(what),
        size{what.height, what.width},
        stream(0),
        free_before(gpu::memory_info(0).free_bytes),
        compute(compute_of(work, stream.view())),
        engine(checkpoint, compute) {
    const std::vector<float> values =
        network_frames(rgb_clip(work.film, work.width, work.height, work.frames));
    if (work.tiling) {
      tiled.emplace(engine, compute, *work.tiling);
      not_finite = gpu::DeviceBuffer(sizeof(int), 0);
    }
    input = gpu::DeviceBuffer(values.size() * sizeof(float), 0);
    gpu::copy_bytes_async(values.data(), input.data(), input.size(), stream.view());
    const std::size_t each = values.size() / static_cast<std::size_t>(work.frames);
    for (std::size_t at = 0; at < values.size(); at += each) {
      window.push_back(static_cast<const float*>(input.data()) + at);
    }
    queue();
    stream.wait();
    memory = free_before - gpu::memory_info(0).free_bytes - input.size();
  }

  void queue(const fused::Engine::Deliver& deliver = [](std::int64_t, const float*) {}) {
    const FrameRange all{0, work.frames};
    if (tiled) {
      tiled->run(window, all, static_cast<int*>(not_finite.data()), deliver);
    } else {
      engine.run(window, size, all, false, deliver);
    }
  }

  std::size_t predicted_bytes() const { return predicted(engine.shape(), compute, work); }

  NetworkWork work;
  fused::FrameSize size;
  gpu::Stream stream;
  std::size_t free_before;
  fused::Compute compute;
  fused::Engine engine;
  std::optional<fused::TiledEngine> tiled;
  gpu::DeviceBuffer not_finite;  // of tiles: nobody asks
  gpu::DeviceBuffer input;
  std::vector<const float*> window;
  std::size_t memory = 0;
};

NetworkRun::NetworkRun(const model::Checkpoint& checkpoint, const NetworkWork& work) {
  const std::string why = fused::why_not(checkpoint.shape(), {.cuda = true}, work.precision);
  if (!why.empty()) throw Error(ErrorCode::kUsage, "the fused back end " + why);
  const fused::FrameSize size{work.height, work.width};
  if (!(fused::padded(checkpoint.shape(), size) == size)) {
    throw Error(ErrorCode::kUsage,
                format("the network takes no frames of {}x{}", work.width, work.height));
  }
  impl_ = std::make_unique<Impl>(checkpoint, work);
}

NetworkRun::~NetworkRun() = default;

NetworkRun::Rate NetworkRun::rate(int rounds, Queued queued) const {
  impl_->engine.use_graphs(queued == Queued::kGraphs);
  const auto start = std::chrono::steady_clock::now();
  double host_s = 0;
  for (int i = 0; i < rounds; ++i) {
    const double before_s = thread_cpu_s();
    impl_->queue();
    host_s += thread_cpu_s() - before_s;
    impl_->stream.wait();
  }
  const double all_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const int frames = impl_->work.frames * rounds;
  return {frames / all_s, 1e3 * host_s / frames};
}

void NetworkRun::run(fused::Observer& observer, const std::function<void()>& queue_end) const {
  impl_->engine.observe(&observer);
  impl_->queue();
  impl_->engine.observe(nullptr);
  queue_end();
  impl_->stream.wait();
}

std::vector<std::vector<float>> NetworkRun::pictures() const {
  const auto scale = static_cast<std::size_t>(impl_->engine.shape().scale());
  const std::size_t samples = 3 * scale * scale * static_cast<std::size_t>(impl_->size.width) *
                              static_cast<std::size_t>(impl_->size.height);
  std::vector<std::vector<float>> pictures;
  impl_->queue([&](std::int64_t, const float* picture) {
    std::vector<float>& kept = pictures.emplace_back(samples);
    gpu::copy_bytes_async(picture, kept.data(), samples * sizeof(float), impl_->stream.view());
  });
  impl_->stream.wait();
  return pictures;
}

gpu::StreamView NetworkRun::stream() const { return impl_->stream.view(); }

std::size_t NetworkRun::memory_bytes() const { return impl_->memory; }

std::size_t NetworkRun::predicted_bytes() const { return impl_->predicted_bytes(); }

std::size_t predicted_bytes(const model::Checkpoint& checkpoint, const NetworkWork& work) {
  return predicted(checkpoint.shape(), compute_of(work, gpu::StreamView{.device = 0}), work);
}

std::size_t NetworkRun::host_bytes() const {
  return fused::Engine::host_bytes(
      impl_->engine.shape(), impl_->compute, impl_->size, impl_->work.frames);
}

std::optional<double> fused_rate(const model::Checkpoint& checkpoint, const NetworkWork& work) {
  if (gpu::device_count() == 0 ||
      !fused::why_not(checkpoint.shape(), {.cuda = true}, work.precision).empty()) {
    return std::nullopt;
  }
  constexpr int kRounds = 2;
  return NetworkRun(checkpoint, work).rate(kRounds).frames_per_s;
}

}  // namespace vsr::bench
