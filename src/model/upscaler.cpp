// The front of the upscalers: which back end, and what holds for all of them.
#include "vsr/model/upscaler.hpp"

#include "backends.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <memory>

namespace vsr::model {

namespace {

void check_format(const PictureFormat& format, const char* which) {
  if (format.width < 1 || format.height < 1 || format.bit_depth < 8 || format.bit_depth > 16) {
    throw Error(
        ErrorCode::kModel,
        vsr::format(
            "no {} pictures of {} with {} bits", which, to_string(format), format.bit_depth));
  }
}

void check_input(const PictureFormat& given, const PictureFormat& wanted) {
  if (given == wanted) return;
  throw Error(ErrorCode::kInternal,
              format("a picture of {} for an upscaler of {}", to_string(given), to_string(wanted)));
}

}  // namespace

std::span<std::byte> OutputSink::acquire_packet(std::size_t /*index*/, std::size_t /*bytes*/) {
  throw Error(ErrorCode::kInternal, "packets for a sink that takes pictures");
}

std::span<std::byte> OutputSink::acquire_digest(std::size_t /*index*/, std::size_t /*bytes*/) {
  return {};
}

LrFrame PictureUpscaler::take(const DevicePicture& /*picture*/, gpu::Event* /*read*/) {
  throw Error(ErrorCode::kInternal, "a picture on the GPU for a back end that takes the host's");
}

gpu::Event PictureUpscaler::copy_down(const DevicePicture& /*picture*/, std::byte* /*to*/) {
  throw Error(ErrorCode::kInternal, "a picture on the GPU for a back end that takes the host's");
}

Backend Upscaler::backend_for(const NetworkShape& shape, const UpscalerOptions& options) {
  return choose_backend(options.backend, shape, options.device, options.precision);
}

PictureFormat output_format_of(const UpscalerOptions& options, int scale) {
  PictureFormat format{
      .width = options.output_width > 0 ? options.output_width : options.input.width * scale,
      .height = options.output_height > 0 ? options.output_height : options.input.height * scale,
      .model = options.output_model,
      .subsampling = options.output_subsampling,
      .bit_depth = options.output_bit_depth};
  if (format.model != ColourModel::kYuv) format.subsampling = ChromaSubsampling::k444;
  check_format(options.input, "input");
  check_format(format, "output");
  return format;
}

struct Upscaler::Impl {
  Backend backend;
  NetworkShape shape;
  UpscalerOptions options;
  std::unique_ptr<PictureUpscaler> upscaler;
};

Upscaler::Upscaler(const Checkpoint& checkpoint, const UpscalerOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->backend = backend_for(checkpoint.shape(), options);
  impl_->shape = checkpoint.shape();
  impl_->options = options;
  impl_->upscaler = impl_->backend == Backend::kFused
                        ? fused::make_upscaler(checkpoint, options)
                        : reference::make_upscaler(checkpoint, options);
}

Upscaler::~Upscaler() = default;
Upscaler::Upscaler(Upscaler&&) noexcept = default;
Upscaler& Upscaler::operator=(Upscaler&&) noexcept = default;

const PictureFormat& Upscaler::input_format() const { return impl_->upscaler->input_format(); }

const PictureFormat& Upscaler::output_format() const { return impl_->upscaler->output_format(); }

LrFrame Upscaler::upload(const PictureView& picture, gpu::Event* copied) {
  check_input(picture.format, input_format());
  return impl_->upscaler->upload(picture, copied);
}

bool Upscaler::takes_device_pictures() const { return impl_->upscaler->takes_device_pictures(); }

LrFrame Upscaler::take(const DevicePicture& picture, gpu::Event* read) {
  check_input(picture.view.format, input_format());
  return impl_->upscaler->take(picture, read);
}

gpu::Event Upscaler::copy_down(const DevicePicture& picture, std::byte* to) {
  check_input(picture.view.format, input_format());
  return impl_->upscaler->copy_down(picture, to);
}

std::size_t Upscaler::usual_packet_bytes() const { return impl_->upscaler->usual_packet_bytes(); }

bool Upscaler::gives_digests() const { return impl_->upscaler->gives_digests(); }

bool Upscaler::remembers() const { return impl_->upscaler->remembers(); }

void Upscaler::begin_sequence() { impl_->upscaler->begin_sequence(); }

void Upscaler::run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) {
  impl_->upscaler->run(window, emit, sink);
}

Backend Upscaler::backend() const { return impl_->backend; }

std::uint64_t Upscaler::window_bytes(int frames) const {
  return window_bytes(impl_->shape, impl_->options, frames);
}

std::uint64_t Upscaler::window_bytes(const NetworkShape& shape,
                                     const UpscalerOptions& options,
                                     int frames) {
  return backend_for(shape, options) == Backend::kFused
             ? fused::window_bytes(shape, options, frames)
             : reference::window_bytes(shape, options, frames);
}

std::uint64_t Upscaler::host_bytes(const NetworkShape& shape,
                                   const UpscalerOptions& options,
                                   int frames) {
  const bool fused = backend_for(shape, options) == Backend::kFused;
  return fused && options.host_features ? fused::host_bytes(shape, options, frames) : 0;
}

}  // namespace vsr::model
