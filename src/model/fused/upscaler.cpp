// Pictures in, upscaled pictures out, on the fused back end.
#include "backends.hpp"
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "fused/tiles.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/pinned_buffer.hpp"
#include "vsr/kernels/colour.hpp"
#include "vsr/kernels/lanczos.hpp"
#include "vsr/kernels/picture_digest.hpp"
#include "vsr/kernels/prores.hpp"
#include "vsr/model/tiling.hpp"

#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace vsr::model::fused {

namespace {

// Note [Streams]
// Three streams: copies in (with the conversion to RGB), the network (with the conversion to
// planes), copies out. They hand over by events. Device memory is taken once and goes round: a
// frame's RGB comes back to the pool with an event of the network's stream, after which the next
// upload may write to it; output planes are a small ring, each with the event of its last copy.
// Nothing waits for the whole device, and the host waits at the end of a window only.

constexpr std::size_t kOutputSlots = 4;
// Packets whose size is not known to the host yet; fewer than there are slots. While the host waits
// for the oldest, the device has the work of the others before it.
constexpr std::size_t kPacketsAhead = 2;
// Frames that a pipeline holds beside a window and the one decoded ahead: kept for the next
// segment.
constexpr int kFramesBeside = 40;
constexpr std::ptrdiff_t kPitchAlignment = 256;
// What the driver keeps for the program, its modules and streams.
constexpr std::uint64_t kContextBytes = std::uint64_t{600} << 20;

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// A view of a picture in device memory; `memory` null: only its size counts.
struct PlacedPicture {
  MutablePictureView view;
  std::size_t bytes = 0;
};

PlacedPicture device_picture(const PictureFormat& format, std::byte* memory) {
  PlacedPicture made;
  made.view.format = format;
  for (int plane = 0; plane < plane_count(format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const std::ptrdiff_t row =
        std::ptrdiff_t{plane_width(format, plane)} * bytes_per_sample(format);
    made.view.pitch_bytes[i] = (row + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
    if (memory != nullptr) made.view.planes[i] = memory + made.bytes;
    made.bytes += to_size(made.view.pitch_bytes[i]) * to_size(plane_height(format, plane));
  }
  return made;
}

// One side may be device memory, the other host's.
void copy_planes(const PictureView& from, const MutablePictureView& to, gpu::StreamView stream) {
  for (int plane = 0; plane < plane_count(from.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    gpu::copy_plane_async({.from = from.planes[i],
                           .from_pitch_bytes = from.pitch_bytes[i],
                           .to = to.planes[i],
                           .to_pitch_bytes = to.pitch_bytes[i],
                           .row_bytes = to_size(plane_width(from.format, plane)) *
                                        to_size(bytes_per_sample(from.format)),
                           .rows = to_size(plane_height(from.format, plane))},
                          stream);
  }
}

// RGB frames' memory, given back by whoever drops the last hold on a frame, in any thread.
class FramePool {
 public:
  FramePool(std::size_t bytes, gpu::StreamView readers) : bytes_(bytes), readers_(readers) {}

  // Work of `writer` that follows waits until nobody reads the buffer any more.
  gpu::DeviceBuffer take(gpu::StreamView writer) {
    std::optional<Free> found;
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        found.emplace(std::move(free_.back()));
        free_.pop_back();
      }
    }
    if (!found) return {bytes_, writer.device};
    found->read.hold(writer);
    return std::move(found->buffer);
  }

  void give_back(gpu::DeviceBuffer buffer) noexcept {
    try {
      Free free{std::move(buffer), gpu::Event::record(readers_)};
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(free));
    } catch (const std::exception& error) {
      log::warning("model", "{}", error.what());  // the buffer is freed
    }
  }

 private:
  struct Free {
    gpu::DeviceBuffer buffer;
    gpu::Event read;
  };

  const std::size_t bytes_;
  const gpu::StreamView readers_;
  std::mutex mutex_;
  std::vector<Free> free_;  // guarded by mutex_
};

struct RgbFrame final : LrFrame::State {
  RgbFrame(std::shared_ptr<FramePool> from, gpu::DeviceBuffer memory)
      : pool(std::move(from)), buffer(std::move(memory)) {}

  ~RgbFrame() override { pool->give_back(std::move(buffer)); }

  const std::shared_ptr<FramePool> pool;
  gpu::DeviceBuffer buffer;  // fp32 planar (3, H, W), padded to what the network takes
  gpu::Event ready;
};

// A table in device memory.
class UploadedAxis {
 public:
  // Waits until it is there.
  UploadedAxis(const kernels::AxisTable& table, gpu::StreamView stream)
      : first_(table.first.size() * sizeof(int), stream.device),
        weights_(table.weights.size() * sizeof(float), stream.device),
        axis_{.in = table.in,
              .out = table.out,
              .taps = table.taps,
              .first = static_cast<const int*>(first_.data()),
              .weights = static_cast<const float*>(weights_.data())} {
    gpu::copy_bytes_async(table.first.data(), first_.data(), first_.size(), stream);
    gpu::copy_bytes_async(table.weights.data(), weights_.data(), weights_.size(), stream);
    gpu::Event::record(stream).wait();
  }

  const kernels::DeviceAxis& axis() const { return axis_; }

 private:
  gpu::DeviceBuffer first_;
  gpu::DeviceBuffer weights_;
  kernels::DeviceAxis axis_;
};

// Scales pictures to another size, where that was asked for.
class Scaler {
 public:
  Scaler(const FrameSize& in, const FrameSize& out, gpu::StreamView stream)
      : across_(kernels::make_lanczos_table(in.width, out.width), stream),
        down_(kernels::make_lanczos_table(in.height, out.height), stream),
        picture_(sizeof(float) * 3 * to_size(out.height) * to_size(row_elements(out.width)),
                 stream.device) {}

  kernels::RgbView scale(const kernels::RgbView& from, gpu::StreamView stream) {
    const auto [width, height] = std::pair(across_.axis().out, down_.axis().out);
    const std::int64_t row = row_elements(width);
    const kernels::MutableRgbView to{.data = static_cast<float*>(picture_.data()),
                                     .width = width,
                                     .height = height,
                                     .row_stride_elems = row,
                                     .plane_stride_elems = row * height};
    kernels::launch_lanczos(from, across_.axis(), down_.axis(), to, stream);
    return to;
  }

  // Rows begin where the conversion to planes is fastest.
  static std::int64_t row_elements(int width) { return (std::int64_t{width} + 3) / 4 * 4; }

 private:
  UploadedAxis across_;
  UploadedAxis down_;
  gpu::DeviceBuffer picture_;
};

// Makes digests of output pictures.
class Digester {
 public:
  Digester(const kernels::DigestShape& shape, gpu::StreamView stream)
      : Digester(shape, kernels::digest_axes(shape), stream) {}

  std::size_t bytes() const { return kernels::digest_bytes(shape_); }

  void make(const PictureView& picture, gpu::DeviceBuffer& digest, gpu::StreamView stream) const {
    kernels::launch_digest(picture,
                           shape_,
                           {kernels::DevicePlaneAxes{luma_across_.axis(), luma_down_.axis()},
                            kernels::DevicePlaneAxes{chroma_across_.axis(), chroma_down_.axis()}},
                           static_cast<std::byte*>(digest.data()),
                           stream);
  }

 private:
  Digester(const kernels::DigestShape& shape,
           const std::array<kernels::PlaneAxes, 2>& axes,
           gpu::StreamView stream)
      : shape_(shape),
        luma_across_(axes[0].across, stream),
        luma_down_(axes[0].down, stream),
        chroma_across_(axes[1].across, stream),
        chroma_down_(axes[1].down, stream) {}

  kernels::DigestShape shape_;
  UploadedAxis luma_across_;
  UploadedAxis luma_down_;
  UploadedAxis chroma_across_;
  UploadedAxis chroma_down_;
};

Compute compute_of(const UpscalerOptions& options, gpu::StreamView stream) {
  Compute compute = make_compute(options.precision, stream);
  compute.host_features = options.host_features;
  return compute;
}

// The encoder of packets on the device, and its memory.
class PacketEncoder {
 public:
  PacketEncoder(const PictureFormat& format, const ColourDescription& colour, int device)
      : settings_(settings_for(format, colour)),
        workspace_(kernels::prores_workspace_bytes(settings_), device),
        planes_(device_picture(format, nullptr).bytes, device) {}

  static kernels::ProresSettings settings_for(const PictureFormat& format,
                                              const ColourDescription& colour) {
    if (format.model != ColourModel::kYuv || format.subsampling != ChromaSubsampling::k422 ||
        format.bit_depth != 10) {
      throw Error(ErrorCode::kInternal, "ProRes 422 HQ of " + to_string(format));
    }
    kernels::ProresSettings settings{.width = format.width, .height = format.height};
    kernels::set_prores_colour(settings, colour);
    kernels::check_prores(settings);
    return settings;
  }

  std::size_t capacity() const { return kernels::prores_packet_capacity(settings_); }

  std::size_t usual_bytes() const { return kernels::prores_usual_packet_bytes(settings_); }

  // Where a picture is put before encode(); one after another, in one stream.
  std::byte* planes() { return static_cast<std::byte*>(planes_.data()); }

  void encode(const MutablePictureView& picture,
              gpu::DeviceBuffer& packet,
              gpu::PinnedBuffer& packet_bytes,
              gpu::StreamView stream) {
    kernels::ProresPicture planes;
    for (std::size_t i = 0; i < 3; ++i) {
      planes.planes[i] = reinterpret_cast<const std::uint16_t*>(picture.planes[i]);
      planes.pitch_bytes[i] = picture.pitch_bytes[i];
    }
    kernels::launch_prores_encode(settings_,
                                  planes,
                                  workspace_.data(),
                                  static_cast<std::byte*>(packet.data()),
                                  reinterpret_cast<std::uint32_t*>(packet_bytes.data()),
                                  stream);
  }

 private:
  kernels::ProresSettings settings_;
  gpu::DeviceBuffer workspace_;
  gpu::DeviceBuffer planes_;
};

class FusedUpscaler final : public PictureUpscaler {
 public:
  FusedUpscaler(const Checkpoint& checkpoint, const UpscalerOptions& options)
      : options_(options),
        output_format_(output_format_of(options, checkpoint.shape().scale())),
        natural_{options.input.height * checkpoint.shape().scale(),
                 options.input.width * checkpoint.shape().scale()},
        size_(padded(checkpoint.shape(), {options.input.height, options.input.width})),
        context_(gpu::driver_context(options.device.index)),
        copy_in_(options.device.index),
        work_(options.device.index),
        copy_out_(options.device.index),
        engine_(checkpoint, compute_of(options, work_.view())),
        pool_(std::make_shared<FramePool>(
            sizeof(float) * 3 * to_size(size_.height) * to_size(size_.width), work_.view())),
        source_(device_picture(options.input, nullptr).bytes, options.device.index),
        flag_(sizeof(int), options.device.index),
        flag_on_host_(sizeof(int), true) {
    const Tiling tiling = tiling_of(checkpoint.shape(), options.input, options.tile);
    if (tiling.count() > 1) {
      tiled_.emplace(engine_, compute_of(options, work_.view()), tiling);
      tiled_->expect_frames(options.window_frames);
    } else {
      engine_.expect_frames(options.window_frames);
    }
    if (options.prores_packets) {
      encoder_.emplace(output_format_, options.output_colour, options.device.index);
    }
    if (options.digests) {
      digester_.emplace(kernels::digest_shape(options.input, output_format_, options.output_colour),
                        work_.view());
    }
    for (Output& output : outputs_) {
      output.memory = gpu::DeviceBuffer(
          encoder_ ? encoder_->capacity() : device_picture(output_format_, nullptr).bytes,
          options.device.index);
      if (encoder_) output.bytes = gpu::PinnedBuffer(sizeof(std::uint32_t), true);
      if (digester_) output.digest = gpu::DeviceBuffer(digester_->bytes(), options.device.index);
    }
    if (output_format_.width != natural_.width || output_format_.height != natural_.height) {
      scaler_.emplace(
          natural_, FrameSize{output_format_.height, output_format_.width}, work_.view());
    }
  }

  ~FusedUpscaler() override {
    finish(copy_in_);
    finish(work_);
    finish(copy_out_);
  }

  const PictureFormat& input_format() const override { return options_.input; }

  const PictureFormat& output_format() const override { return output_format_; }

  std::size_t usual_packet_bytes() const override { return encoder_ ? encoder_->usual_bytes() : 0; }

  bool gives_digests() const override { return digester_.has_value(); }

  LrFrame upload(const PictureView& picture, gpu::Event* copied) override {
    // The staging planes serve one picture after another: all that touches them is in one stream.
    const PlacedPicture staged =
        device_picture(options_.input, static_cast<std::byte*>(source_.data()));
    copy_planes(picture, staged.view, copy_in_.view());
    if (copied != nullptr) *copied = gpu::Event::record(copy_in_.view());
    return LrFrame(to_rgb(staged.view, {}));
  }

  bool takes_device_pictures() const override { return true; }

  LrFrame take(const DevicePicture& picture, gpu::Event* read) override {
    gpu::Event::record(decoder_of(picture)).hold(copy_in_.view());
    std::shared_ptr<RgbFrame> frame = to_rgb(picture.view, picture.form);
    *read = frame->ready;
    return LrFrame(std::move(frame));
  }

  gpu::Event copy_down(const DevicePicture& picture, std::byte* to) override {
    const gpu::StreamView decoder = decoder_of(picture);
    const MutablePictureView packed = packed_view(options_.input, picture.form, to);
    for (std::size_t i = 0; i < 3 && packed.planes[i] != nullptr; ++i) {
      gpu::copy_plane_async({.from = picture.view.planes[i],
                             .from_pitch_bytes = picture.view.pitch_bytes[i],
                             .to = packed.planes[i],
                             .to_pitch_bytes = packed.pitch_bytes[i],
                             .row_bytes = to_size(packed.pitch_bytes[i]),
                             .rows = to_size(plane_height(options_.input, static_cast<int>(i)))},
                            decoder);
    }
    return gpu::Event::record(decoder);
  }

  bool remembers() const override { return !tiled_; }

  void begin_sequence() override {
    in_sequence_ = true;
    goes_on_ = false;
  }

  void run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) override {
    const bool in_sequence = std::exchange(in_sequence_, false);
    try {
      run_window(window, emit, in_sequence && goes_on_, sink);
    } catch (...) {
      packets_.clear();
      finish(copy_out_);  // nothing may write to the sink's memory any more
      throw;
    }
    in_sequence_ = in_sequence;
    goes_on_ = in_sequence;
  }

 private:
  // A picture or packet on its way out.
  struct Output {
    gpu::DeviceBuffer memory;
    gpu::DeviceBuffer digest;
    gpu::PinnedBuffer bytes;  // of a packet
    gpu::Event copied;
  };

  // A packet whose size the host does not know yet.
  struct Packet {
    std::size_t index = 0;
    Output* output = nullptr;
    gpu::Event made;
  };

  gpu::StreamView decoder_of(const DevicePicture& picture) const {
    if (picture.cuda_context != context_) {
      throw Error(ErrorCode::kInternal, "a picture in another GPU context than the network's");
    }
    return {.handle = picture.stream, .device = options_.device.index};
  }

  // Queues the conversion of planes on the device in the stream of copies in.
  std::shared_ptr<RgbFrame> to_rgb(const PictureView& planes, const SampleForm& form) {
    auto frame = std::make_shared<RgbFrame>(pool_, pool_->take(copy_in_.view()));
    kernels::launch_planes_to_rgb(planes,
                                  form,
                                  options_.input_colour,
                                  {.data = static_cast<float*>(frame->buffer.data()),
                                   .width = size_.width,
                                   .height = size_.height,
                                   .row_stride_elems = size_.width,
                                   .plane_stride_elems = std::int64_t{size_.height} * size_.width},
                                  copy_in_.view());
    frame->ready = gpu::Event::record(copy_in_.view());
    return frame;
  }

  void run_window(std::span<const LrFrame> window,
                  const FrameRange& emit,
                  bool continues,
                  OutputSink& sink) {
    std::vector<const float*> frames;
    frames.reserve(window.size());
    for (const LrFrame& frame : window) {
      if (!frame) throw Error(ErrorCode::kInternal, "a window holds an empty frame");
      const auto& state = dynamic_cast<const RgbFrame&>(frame.state());
      state.ready.hold(work_.view());
      frames.push_back(static_cast<const float*>(state.buffer.data()));
    }
    gpu::clear_async(flag_.data(), sizeof(int), work_.view());
    const auto deliver = [&](std::int64_t index, const float* picture) {
      hand_out(to_size(index), picture, sink);
    };
    if (tiled_) {
      tiled_->run(frames, emit, static_cast<int*>(flag_.data()), deliver);
    } else {
      engine_.run(frames, size_, emit, continues, deliver);
    }
    while (!packets_.empty()) hand_out_packet(sink);
    gpu::copy_bytes_async(flag_.data(), flag_on_host_.data(), sizeof(int), work_.view());
    gpu::Event::record(work_.view()).wait();
    int not_finite = 0;
    std::memcpy(&not_finite, flag_on_host_.data(), sizeof(int));
    if (not_finite != 0) {
      throw Error(
          ErrorCode::kModel,
          vsr::format("the network gives values that are no numbers in {}: its weights need "
                      "a wider range; set model.precision = bf16 or fp32",
                      to_string(options_.precision)));
    }
  }

  // Queues the conversion of an upscaled picture and its copy into the sink's memory.
  void hand_out(std::size_t index, const float* picture, OutputSink& sink) {
    Output& output = outputs_[next_output_++ % kOutputSlots];
    output.copied.hold(work_.view());
    const int scale = engine_.shape().scale();
    const std::int64_t row = std::int64_t{size_.width} * scale;
    kernels::RgbView rgb{.data = picture,
                         .width = natural_.width,
                         .height = natural_.height,
                         .row_stride_elems = row,
                         .plane_stride_elems = row * size_.height * scale};
    if (scaler_) rgb = scaler_->scale(rgb, work_.view());
    const PlacedPicture planes = device_picture(
        output_format_,
        encoder_ ? encoder_->planes() : static_cast<std::byte*>(output.memory.data()));
    kernels::launch_rgb_to_planes(rgb,
                                  planes.view,
                                  options_.output_colour,
                                  {},
                                  static_cast<int*>(flag_.data()),
                                  work_.view());
    if (digester_) digester_->make(planes.view, output.digest, work_.view());
    if (encoder_) encoder_->encode(planes.view, output.memory, output.bytes, work_.view());
    const gpu::Event made = gpu::Event::record(work_.view());
    if (encoder_) {
      packets_.push_back({index, &output, made});
      if (packets_.size() > kPacketsAhead) hand_out_packet(sink);
      return;
    }
    const MutablePictureView to = sink.acquire(index);
    if (!(to.format == output_format_)) {
      throw Error(ErrorCode::kInternal,
                  vsr::format("a sink gave {} for a picture of {}",
                              to_string(to.format),
                              to_string(output_format_)));
    }
    made.hold(copy_out_.view());
    copy_planes(planes.view, to, copy_out_.view());
    deliver(index, output, sink);
  }

  // Queues the copy of the oldest packet, whose size has to be waited for.
  void hand_out_packet(OutputSink& sink) {
    const Packet packet = std::move(packets_.front());
    packets_.pop_front();
    packet.made.wait();
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, packet.output->bytes.data(), sizeof(bytes));
    const std::span<std::byte> to = sink.acquire_packet(packet.index, bytes);
    gpu::copy_bytes_async(packet.output->memory.data(), to.data(), bytes, copy_out_.view());
    deliver(packet.index, *packet.output, sink);
  }

  // What it is has been queued in the stream of copies out; its digest follows.
  void deliver(std::size_t index, Output& output, OutputSink& sink) {
    if (digester_) {
      const std::span<std::byte> to = sink.acquire_digest(index, digester_->bytes());
      if (!to.empty()) {
        gpu::copy_bytes_async(output.digest.data(), to.data(), to.size(), copy_out_.view());
      }
    }
    output.copied = gpu::Event::record(copy_out_.view());
    sink.deliver(index, output.copied);
  }

  static void finish(const gpu::Stream& stream) noexcept {
    try {
      stream.wait();
    } catch (const std::exception& error) {
      log::warning("model", "{}", error.what());
    }
  }

  const UpscalerOptions options_;
  const PictureFormat output_format_;
  const FrameSize natural_;  // of the network's picture, without what it was padded by
  const FrameSize size_;     // of the frames that the network sees
  void* const context_;      // CUcontext that all memory here belongs to
  gpu::Stream copy_in_;
  gpu::Stream work_;
  gpu::Stream copy_out_;
  Engine engine_;
  std::optional<TiledEngine> tiled_;  // where pictures are too large for it
  std::shared_ptr<FramePool> pool_;
  gpu::DeviceBuffer source_;
  std::optional<PacketEncoder> encoder_;
  std::array<Output, kOutputSlots> outputs_;
  std::deque<Packet> packets_;
  std::size_t next_output_ = 0;
  std::optional<Scaler> scaler_;
  std::optional<Digester> digester_;
  gpu::DeviceBuffer flag_;  // not 0: a value was no number
  gpu::PinnedBuffer flag_on_host_;
  bool in_sequence_ = false;
  bool goes_on_ = false;
};

}  // namespace

std::unique_ptr<PictureUpscaler> make_upscaler(const Checkpoint& checkpoint,
                                               const UpscalerOptions& options) {
  return std::make_unique<FusedUpscaler>(checkpoint, options);
}

// Without digests, a thousandth of it: no plan may hang on whether pictures are measured.
std::uint64_t window_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames) {
  const FrameSize size = padded(shape, {options.input.height, options.input.width});
  const PictureFormat output = output_format_of(options, shape.scale());
  std::uint64_t bytes = kContextBytes + Engine::weight_bytes(shape);
  const Compute compute = compute_of(options, {.device = options.device.index});
  const Tiling tiling = tiling_of(shape, options.input, options.tile);
  bytes += tiling.count() > 1
               ? TiledEngine::window_bytes(shape, compute, tiling, std::max(frames, 1))
               : Engine::window_bytes(shape, compute, size, std::max(frames, 1));
  bytes += Engine::graph_bytes(std::max(frames, 1));
  bytes += sizeof(float) * 3 * to_size(size.height) * to_size(size.width) *
           to_size(2 * frames + kFramesBeside);
  const std::size_t planes = device_picture(output, nullptr).bytes;
  if (options.prores_packets) {
    const auto settings = PacketEncoder::settings_for(output, options.output_colour);
    bytes += planes + kernels::prores_workspace_bytes(settings) +
             kOutputSlots * kernels::prores_packet_capacity(settings);
  } else {
    bytes += kOutputSlots * planes;
  }
  bytes += device_picture(options.input, nullptr).bytes;
  const int scale = shape.scale();
  if (output.width != options.input.width * scale ||
      output.height != options.input.height * scale) {
    bytes +=
        sizeof(float) * 3 * to_size(output.height) * to_size(Scaler::row_elements(output.width));
  }
  return bytes;
}

std::uint64_t host_bytes(const NetworkShape& shape, const UpscalerOptions& options, int frames) {
  const Tiling tiling = tiling_of(shape, options.input, options.tile);
  const FrameSize size = tiling.count() > 1
                             ? FrameSize{tiling.down.tile(), tiling.across.tile()}
                             : padded(shape, {options.input.height, options.input.width});
  const Compute compute = compute_of(options, {.device = options.device.index});
  return Engine::host_bytes(shape, compute, size, std::max(frames, 1));
}

}  // namespace vsr::model::fused
