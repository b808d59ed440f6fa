#include "speed.hpp"

#include "vsr/gpu/pinned_buffer.hpp"
#include "vsr/model/cost.hpp"

#include <chrono>
#include <vector>

namespace vsr::launcher {

namespace {

constexpr int kFrames = 4;

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

}  // namespace vsr::launcher
