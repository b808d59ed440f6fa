#include "backends.hpp"
#include "colour.hpp"
#include "generator.hpp"
#include "tiles.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/model/tiling.hpp"

#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/replication_pad2d.h>
#include <ATen/ops/sum.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::model::reference {

// Note [Streams]
// Three streams: copies in (with the small conversion to RGB), the network, copies out. They hand
// over by events: an LrFrame carries the event of its RGB; an output picture's copy waits for the
// network's event. Torch's allocator gives a freed block out again in the stream it was made in, at
// once; so every tensor that another stream reads is recorded there (record_stream), which holds
// the block back until that stream has passed. Nothing waits for the whole device.

struct RgbFrame final : LrFrame::State {
  at::Tensor rgb;  // fp32 (1, 3, H, W), padded to what the network takes, clamped to 0..1
  std::optional<c10::Event> ready;  // on a GPU
};

namespace {

std::optional<c10::Event> record_event(const c10::Stream& stream) {
  if (!stream.device().is_cuda()) return std::nullopt;
  c10::Event event(stream.device_type());
  event.record(stream);
  return event;
}

void use_on(const at::Tensor& tensor, const c10::Stream& stream) {
  if (stream.device().is_cuda()) tensor.record_stream(stream);
}

struct Impl {
  UpscalerOptions options;
  Compute compute;
  c10::Stream copy_in;
  c10::Stream work;
  c10::Stream copy_out;
  Generator generator;  // its weights belong to the work stream
  PictureFormat output_format;
  Tiling tiling;

  Impl(const Checkpoint& checkpoint, const UpscalerOptions& asked)
      : options(asked),
        compute(make_compute(asked.device, asked.precision, asked.cpu_threads)),
        copy_in(new_stream(compute.device)),
        work(new_stream(compute.device)),
        copy_out(new_stream(compute.device)),
        generator(guarded(compute,
                          "cannot load the network's weights",
                          [&] {
                            const c10::StreamGuard guard(work);
                            return Generator(checkpoint, compute);
                          })),
        output_format(output_format_of(asked, checkpoint.shape().scale())),
        tiling(tiling_of(checkpoint.shape(), asked.input, asked.tile)) {
    if (output_format.width != asked.input.width * checkpoint.shape().scale() ||
        output_format.height != asked.input.height * checkpoint.shape().scale()) {
      throw Error(ErrorCode::kModel,
                  "pictures of another size than the network's own come from the fused back end "
                  "only: it needs a GPU and model.precision = fp16 or bf16");
    }
    if (asked.host_features) {
      throw Error(ErrorCode::kModel,
                  "features are kept in host memory by the fused back end only: it needs a GPU and "
                  "model.precision = fp16 or bf16");
    }
    if (asked.prores_packets) {
      throw Error(ErrorCode::kModel,
                  "pictures are encoded on the GPU by the fused back end only: it needs "
                  "model.precision = fp16 or bf16");
    }
  }

  // Device memory for a picture's planes, filled from `picture` in the copy stream.
  Planes copy_planes_in(const PictureView& picture) const {
    Planes planes;
    for (int i = 0; i < plane_count(picture.format); ++i) {
      const auto plane = static_cast<std::size_t>(i);
      const int rows = plane_height(picture.format, i);
      const int columns = plane_width(picture.format, i);
      const int bytes = bytes_per_sample(picture.format);
      planes.push_back(
          at::empty({rows, columns},
                    at::TensorOptions().dtype(sample_type(picture.format)).device(compute.device)));
      gpu::copy_plane_async({.from = picture.planes[plane],
                             .from_pitch_bytes = picture.pitch_bytes[plane],
                             .to = planes.back().data_ptr(),
                             .to_pitch_bytes = std::ptrdiff_t{columns} * bytes,
                             .row_bytes = static_cast<std::size_t>(columns * bytes),
                             .rows = static_cast<std::size_t>(rows)},
                            view_of(copy_in));
    }
    return planes;
  }

  LrFrame upload(const PictureView& picture, gpu::Event* copied) {
    const c10::StreamGuard guard(copy_in);
    const Planes planes = copy_planes_in(picture);
    if (copied != nullptr) {
      *copied = compute.on_cuda() ? gpu::Event::record(view_of(copy_in)) : gpu::Event();
    }
    at::Tensor rgb = planes_to_rgb(planes, options.input, options.input_colour).clamp_(0, 1);
    const std::int64_t pad_y = generator.padded(rgb.size(2)) - rgb.size(2);
    const std::int64_t pad_x = generator.padded(rgb.size(3)) - rgb.size(3);
    if (pad_y + pad_x > 0) rgb = at::replication_pad2d(rgb, {0, pad_x, 0, pad_y});
    auto state = std::make_shared<RgbFrame>();
    state->rgb = rgb.contiguous();
    use_on(state->rgb, work);
    state->ready = record_event(copy_in);
    return LrFrame(std::move(state));
  }

  // Queues the copy of an upscaled picture into the sink's memory.
  void hand_out(std::size_t index, const at::Tensor& rgb, OutputSink& sink) {
    const at::Tensor cropped =
        rgb.narrow(2, 0, output_format.height).narrow(3, 0, output_format.width);
    const Planes planes = rgb_to_planes(cropped, output_format, options.output_colour);
    const std::optional<c10::Event> made = record_event(work);
    const MutablePictureView picture = acquire(index, sink);
    if (made) made->block(copy_out);
    for (std::size_t i = 0; i < planes.size(); ++i) {
      const auto bytes = static_cast<std::size_t>(planes[i].size(1) * planes[i].element_size());
      use_on(planes[i], copy_out);
      gpu::copy_plane_async({.from = planes[i].data_ptr(),
                             .from_pitch_bytes = static_cast<std::ptrdiff_t>(bytes),
                             .to = picture.planes[i],
                             .to_pitch_bytes = picture.pitch_bytes[i],
                             .row_bytes = bytes,
                             .rows = static_cast<std::size_t>(planes[i].size(0))},
                            view_of(copy_out));
    }
    gpu::Event ready;
    if (compute.on_cuda()) ready = gpu::Event::record(view_of(copy_out));
    call_sink([&] { sink.deliver(index, std::move(ready)); });
  }

  MutablePictureView acquire(std::size_t index, OutputSink& sink) {
    MutablePictureView picture;
    call_sink([&] { picture = sink.acquire(index); });
    if (!(picture.format == output_format)) {
      throw Error(ErrorCode::kInternal,
                  vsr::format("a sink gave {} for a picture of {}",
                              to_string(picture.format),
                              to_string(output_format)));
    }
    return picture;
  }

  // Waits for the copies queued into the sink's memory, which it may free as soon as run() is over.
  void finish_copies() noexcept {
    try {
      if (compute.on_cuda()) copy_out.synchronize();
    } catch (const std::exception& error) {
      log::warning("model", "{}", error.what());
    }
  }

  // What a sink throws is its own affair and must reach its owner as it was.
  std::exception_ptr sink_failure;

  template <typename Call>
  void call_sink(const Call& call) {
    try {
      call();
    } catch (...) {
      sink_failure = std::current_exception();
      throw;
    }
  }

  void run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) {
    const c10::StreamGuard guard(work);
    std::vector<at::Tensor> frames;
    frames.reserve(window.size());
    for (const LrFrame& frame : window) {
      if (!frame) throw Error(ErrorCode::kInternal, "a window holds an empty frame");
      const auto& state = dynamic_cast<const RgbFrame&>(frame.state());
      if (state.ready) state.ready->block(work);
      frames.push_back(state.rgb);
    }
    // One look at the end: a picture of infinities must not pass as a dark one.
    at::Tensor finite;
    const auto deliver = [&](std::int64_t index, const at::Tensor& rgb) {
      const at::Tensor sum = at::sum(rgb);  // finite if and only if every value is, near enough
      finite = finite.defined() ? at::add(finite, sum) : sum;
      hand_out(static_cast<std::size_t>(index), rgb, sink);
    };
    run_in_tiles(generator, tiling, frames, emit, deliver);
    if (finite.defined() && !std::isfinite(finite.item<float>())) {
      throw Error(
          ErrorCode::kModel,
          vsr::format("the network gives values that are no numbers in {}: its weights need "
                      "a wider range; set model.precision = bf16 or fp32",
                      to_string(options.precision)));
    }
  }
};

class ReferenceUpscaler final : public PictureUpscaler {
 public:
  ReferenceUpscaler(const Checkpoint& checkpoint, const UpscalerOptions& options)
      : impl_(checkpoint, options) {}

  const PictureFormat& input_format() const override { return impl_.options.input; }

  const PictureFormat& output_format() const override { return impl_.output_format; }

  LrFrame upload(const PictureView& picture, gpu::Event* copied) override {
    return guarded(impl_.compute, "cannot take a picture to the device", [&] {
      return impl_.upload(picture, copied);
    });
  }

  void run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) override;

 private:
  Impl impl_;
};

void ReferenceUpscaler::run(std::span<const LrFrame> window,
                            const FrameRange& emit,
                            OutputSink& sink) {
  impl_.sink_failure = nullptr;
  try {
    guarded(impl_.compute,
            format("a window of {} frames of {}", window.size(), to_string(impl_.options.input)),
            [&] { impl_.run(window, emit, sink); });
  } catch (...) {
    impl_.finish_copies();
    if (impl_.sink_failure != nullptr) {
      std::rethrow_exception(std::exchange(impl_.sink_failure, nullptr));
    }
    throw;
  }
}

}  // namespace

std::unique_ptr<PictureUpscaler> make_upscaler(const Checkpoint& checkpoint,
                                               const UpscalerOptions& options) {
  return std::make_unique<ReferenceUpscaler>(checkpoint, options);
}

}  // namespace vsr::model::reference
