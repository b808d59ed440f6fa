// The bare network on the fused back end, with a look at what is computed on the way.
#include "backends.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/event.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace vsr::model::fused {

namespace {

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

float widened(std::uint16_t bits, kernels::ElementType type) {
  if (type == kernels::ElementType::kHalf) {
    _Float16 half = 0;
    std::memcpy(&half, &bits, 2);
    return static_cast<float>(half);
  }
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value = 0;
  std::memcpy(&value, &wide, 4);
  return value;
}

template <typename Value>
std::vector<Value> to_host(const void* memory, std::int64_t count, gpu::StreamView stream) {
  std::vector<Value> values(to_size(count));
  gpu::copy_bytes_async(memory, values.data(), values.size() * sizeof(Value), stream);
  gpu::Event::record(stream).wait();
  return values;
}

// Puts every map that it sees into the intermediates, planar.
class Recorder final : public Trace {
 public:
  Recorder(const Compute& compute, std::int64_t frames, int channels, Intermediates& made)
      : compute_(compute), frames_(frames), channels_(channels), made_(made) {}

  void see_map(const std::string& name, std::int64_t frame, const Map& map) override {
    const auto values = to_host<std::uint16_t>(map.data, map.image_elements(), compute_.stream);
    put(name, frames_, frame, channels_, map.height, map.width, [&](std::int64_t pixel, int c) {
      return widened(values[to_size(pixel * map.channels + c)], compute_.type);
    });
  }

  void see_flow(const std::string& name,
                std::int64_t frame,
                const float* flow,
                int height,
                int width) override {
    const auto values = to_host<float>(flow, std::int64_t{height} * width * 2, compute_.stream);
    put(name, frames_ - 1, frame, 2, height, width, [&](std::int64_t pixel, int c) {
      return values[to_size(pixel * 2 + c)];
    });
  }

 private:
  template <typename Value>
  void put(const std::string& name,
           std::int64_t frames,
           std::int64_t frame,
           int channels,
           int height,
           int width,
           const Value& value) {
    const std::int64_t pixels = std::int64_t{height} * width;
    Tensor& tensor = made_[name];
    if (tensor.values.empty()) {
      tensor.shape = {frames, channels, height, width};
      tensor.values.resize(to_size(frames * channels * pixels));
    }
    float* to = tensor.values.data() + frame * channels * pixels;
    for (int c = 0; c < channels; ++c) {
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) *to++ = value(pixel, c);
    }
  }

  Compute compute_;
  std::int64_t frames_;
  int channels_;
  Intermediates& made_;
};

class FusedNetwork final : public NetworkBackend {
 public:
  FusedNetwork(const Checkpoint& checkpoint, const NetworkOptions& options)
      : stream_(options.device.index),
        compute_(make_compute(options.precision, stream_.view())),
        engine_(checkpoint, compute_) {}

  Tensor forward(const Tensor& frames, Intermediates* intermediates) override {
    const std::int64_t count = frames.shape[0];
    const auto height = static_cast<int>(frames.shape[2]);
    const auto width = static_cast<int>(frames.shape[3]);
    const FrameSize size = padded(engine_.shape(), {height, width});
    const std::int64_t pixels = std::int64_t{size.height} * size.width;
    gpu::DeviceBuffer input(to_size(count * 3 * pixels) * sizeof(float), stream_.view().device);
    auto* const on_device = static_cast<float*>(input.data());
    const std::vector<float> whole = repeated_edges(frames, size);
    gpu::copy_bytes_async(whole.data(), on_device, input.size(), stream_.view());
    std::vector<const float*> window;
    for (std::int64_t t = 0; t < count; ++t) window.push_back(on_device + t * 3 * pixels);

    const int scale = engine_.shape().scale();
    Tensor made{{count, 3, height * scale, width * scale}, {}};
    if (intermediates != nullptr) intermediates->clear();
    std::optional<Recorder> recorder;
    if (intermediates != nullptr) {
      recorder.emplace(compute_, count, engine_.shape().mid_channels, *intermediates);
    }
    engine_.run(
        window,
        size,
        {0, count},
        false,
        [&](std::int64_t, const float* picture) {
          const auto values = to_host<float>(picture, 3 * pixels * scale * scale, stream_.view());
          for (std::int64_t row = 0; row < std::int64_t{3} * size.height * scale; ++row) {
            if (row % (size.height * scale) >= height * scale) continue;
            const auto from = values.begin() + row * size.width * scale;
            made.values.insert(made.values.end(), from, from + width * scale);
          }
        },
        recorder ? &*recorder : nullptr);
    stream_.wait();
    return made;
  }

 private:
  static std::vector<float> repeated_edges(const Tensor& frames, const FrameSize& size) {
    const std::int64_t planes = frames.shape[0] * 3;
    const std::int64_t height = frames.shape[2];
    const std::int64_t width = frames.shape[3];
    std::vector<float> made;
    made.reserve(to_size(planes * size.height * size.width));
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      for (std::int64_t y = 0; y < size.height; ++y) {
        const float* row =
            frames.values.data() + (plane * height + std::min(y, height - 1)) * width;
        made.insert(made.end(), row, row + width);
        made.insert(made.end(), to_size(size.width - width), row[width - 1]);
      }
    }
    return made;
  }

  gpu::Stream stream_;
  Compute compute_;
  Engine engine_;
};

}  // namespace

std::unique_ptr<NetworkBackend> make_network(const Checkpoint& checkpoint,
                                             const NetworkOptions& options) {
  return std::make_unique<FusedNetwork>(checkpoint, options);
}

}  // namespace vsr::model::fused
