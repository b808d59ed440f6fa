// Pictures in, upscaled pictures out: YUV -> RGB, BasicVSR++, RGB -> YUV, on one device.
//
// The flow of a window: upload() each low-resolution picture (asynchronous, any order of threads),
// or take() it where it was decoded, then run() once; run() hands every high-resolution picture to
// the sink in frame order while the device goes on with the next.
//
// Ownership: an LrFrame keeps its memory on the device alive and may be used in several windows
// (the halo shared by two). Threads: upload() or take(), and run(), may be called at the same time
// from two threads; neither from more than one.
#pragma once

#include "vsr/base/backend.hpp"
#include "vsr/base/device_picture.hpp"
#include "vsr/base/frame_range.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/precision.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/device_spec.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace vsr::model {

struct UpscalerOptions {
  DeviceSpec device;
  Precision precision = Precision::kFp32;
  Backend backend = Backend::kAuto;
  int cpu_threads = 0;    // 0: all that this process may use
  int window_frames = 0;  // the longest window to come, if known: its memory is then taken at once
  TileSize tile;          // pictures larger than that are computed in parts
  // Keep a window's features in pinned host memory, where a device holds no long windows: the same
  // pictures (fused back end only).
  bool host_features = false;
  PictureFormat input;
  ColourDescription input_colour;
  // Output size is input size times the network's scale, or (fused back end only) as given here, by
  // Lanczos; model, subsampling and depth as here.
  int output_width = 0;
  int output_height = 0;
  ColourModel output_model = ColourModel::kYuv;
  ChromaSubsampling output_subsampling = ChromaSubsampling::k422;
  int output_bit_depth = 10;
  ColourDescription output_colour;
  // Give ProRes 422 HQ packets in place of pictures, encoded on the device (fused back end only;
  // the output has to be 4:2:2 of 10 bits and an even width).
  bool prores_packets = false;
  // Give each picture's digest beside it (fused back end only).
  bool digests = false;
};

// One low-resolution picture on the device, already RGB in 0..1. Cheap to copy (shared).
class LrFrame {
 public:
  // What a back end keeps of the picture; derived by it.
  struct State {
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual ~State() = default;
  };

  LrFrame() = default;

  explicit LrFrame(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  explicit operator bool() const { return state_ != nullptr; }

  const State& state() const { return *state_; }

 private:
  std::shared_ptr<const State> state_;
};

// Takes finished pictures, or packets from an upscaler that gives those. acquire() or
// acquire_packet() gives the memory for frame `index` (it may wait for a free slot: that is the
// back-pressure), acquire_digest() after that the memory for its digest, where the upscaler gives
// those; deliver() says that their copies were queued: they may be read once `ready.wait()` has
// returned. All are called by the thread in run(), in frame order.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual MutablePictureView acquire(std::size_t index) = 0;
  // Exactly `bytes`. Throws Error(kInternal) in a sink that takes pictures only.
  virtual std::span<std::byte> acquire_packet(std::size_t index, std::size_t bytes);
  // Exactly `bytes`, or nothing where nobody wants the digest of this frame.
  virtual std::span<std::byte> acquire_digest(std::size_t index, std::size_t bytes);
  virtual void deliver(std::size_t index, gpu::Event ready) = 0;
};

// What the pipeline needs of an upscaler, so that it can be tested without a network.
class PictureUpscaler {
 public:
  virtual ~PictureUpscaler() = default;

  virtual const PictureFormat& input_format() const = 0;
  virtual const PictureFormat& output_format() const = 0;

  // Not 0: run() gives packets (see OutputSink) of pictures of output_format(), which are no larger
  // but for a rare one.
  virtual std::size_t usual_packet_bytes() const { return 0; }

  // Whether run() gives digests of the shape digest_shape(input_format(), output_format(), colour
  // of the output).
  virtual bool gives_digests() const { return false; }

  // Copies `picture` to the device and turns it to RGB. Returns once the copy is queued;
  // `picture` (pinned memory, for the copy to be asynchronous) may be reused once `*copied` has
  // been waited for. Throws OutOfMemory.
  virtual LrFrame upload(const PictureView& picture, gpu::Event* copied) = 0;

  // Whether take() can be called.
  virtual bool takes_device_pictures() const { return false; }

  // Turns a picture to RGB that lies on this device already: the same frame, bit for bit, as
  // upload() of the same samples gives. Returns once that is queued; picture.owner has to be kept
  // until `*read` has been waited for. Throws OutOfMemory, Error(kInternal) for a picture of
  // another context or format.
  virtual LrFrame take(const DevicePicture& picture, gpu::Event* read);

  // Queues the copy of such a picture to `to`, as packed_view() of its form has it; there once the
  // event has come. `to`: pinned memory of packed_bytes(). It is queued where the decoder's work
  // is, so waits for no other. Throws as take() does.
  virtual gpu::Event copy_down(const DevicePicture& picture, std::byte* to);

  // Whether windows may go on from each other. Then begin_sequence() is called before the first of
  // them, and the next run()'s window begins with the frame after the last one that this one gives;
  // it needs frames after those that it gives (look-ahead), none before. After an exception a new
  // sequence has to be begun; its first window may well have frames before those that it gives.
  virtual bool remembers() const { return false; }

  virtual void begin_sequence() {}

  // Runs the network over `window` and gives the frames [emit.begin, emit.end), counted within the
  // window. Throws OutOfMemory possibly after some frames were delivered; those stay good, and the
  // upscaler stays usable (with a shorter window). When it throws, nothing writes to the sink's
  // memory any more.
  virtual void run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) = 0;
};

class Upscaler final : public PictureUpscaler {
 public:
  // Throws Error(kGpu) when the device is not there or too small for the weights, Error(kModel)
  // when the options do not suit the network.
  Upscaler(const Checkpoint& checkpoint, const UpscalerOptions& options);
  ~Upscaler() override;
  Upscaler(Upscaler&&) noexcept;
  Upscaler& operator=(Upscaler&&) noexcept;

  const PictureFormat& input_format() const override;
  const PictureFormat& output_format() const override;
  std::size_t usual_packet_bytes() const override;
  bool gives_digests() const override;
  LrFrame upload(const PictureView& picture, gpu::Event* copied) override;
  bool takes_device_pictures() const override;
  LrFrame take(const DevicePicture& picture, gpu::Event* read) override;
  gpu::Event copy_down(const DevicePicture& picture, std::byte* to) override;
  bool remembers() const override;
  void begin_sequence() override;
  void run(std::span<const LrFrame> window, const FrameRange& emit, OutputSink& sink) override;

  // Which back end it is, or would be: kReference or kFused. Throws Error(kModel) when
  // options.backend is kFused and cannot be.
  Backend backend() const;
  static Backend backend_for(const NetworkShape& shape, const UpscalerOptions& options);

  // Bytes of device memory that run() needs for a window of `frames`: a part by frame over a fixed
  // one. An estimate to plan by; docs/performance.md holds it against measurements.
  std::uint64_t window_bytes(int frames) const;
  // The same before anything is allocated.
  static std::uint64_t window_bytes(const NetworkShape& shape,
                                    const UpscalerOptions& options,
                                    int frames);
  // Bytes of pinned host memory that it needs for them, exact; 0 unless features are kept there.
  static std::uint64_t host_bytes(const NetworkShape& shape,
                                  const UpscalerOptions& options,
                                  int frames);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::model
