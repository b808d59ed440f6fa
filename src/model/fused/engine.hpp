// BasicVSR++ on CUDA kernels: frames of a window in, upscaled frames out, one by one.
//
// Note [Windows that remember]
// Windows of one sequence follow each other: the next one begins with the frame after the last one
// given. The forward branches go on from where they were, so the past of every frame is exact; of
// the future a window sees what it is given beyond the frames that it gives (the look-ahead), and
// these are computed again by the next. Spatial features and flows of a frame are computed once.
// A frame's place in memory is its number in the sequence modulo the room's capacity, so nothing is
// moved from window to window. What is kept of frames may lie in host memory (fused/kept_maps.hpp).
#pragma once

#include "fused/conv.hpp"
#include "fused/flow.hpp"
#include "fused/picture_end.hpp"
#include "vsr/base/frame_range.hpp"
#include "vsr/gpu/graph.hpp"
#include "vsr/model/checkpoint.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vsr::model::fused {

// Sees what is computed on the way, frame by frame, by the names of the golden files.
class Trace {
 public:
  virtual ~Trace() = default;
  virtual void see_map(const std::string& name, std::int64_t frame, const Map& map) = 0;
  // fp32 [height, width, 2]
  virtual void see_flow(
      const std::string& name, std::int64_t frame, const float* flow, int height, int width) = 0;
};

struct FrameSize {
  int height = 0;
  int width = 0;

  bool operator==(const FrameSize&) const = default;
};

// The size that the network takes in place of `size`: at least 64 (x4), or at least 256 and a
// multiple of 4 (x1).
FrameSize padded(const NetworkShape& shape, const FrameSize& size);

class Engine {
 public:
  // Takes the weights to the device.
  Engine(const Checkpoint& checkpoint, const Compute& compute);
  ~Engine();

  // Whether this back end has the network; if not, the reference back end has.
  static bool supports(const NetworkShape& shape);

  // fp32 planar (3, scale * height, scale * width), not clamped, in device memory that the next
  // frame is written to: what reads it has to be queued in the engine's stream.
  using Deliver = std::function<void(std::int64_t index, const float* picture)>;

  // `frames`: fp32 planar (3, height, width) on the device, of a padded() size, valid until the
  // stream has passed. Gives the frames of `emit`, counted within the window. `continues`: the
  // window goes on with the sequence (see above); else it begins one. With a trace every frame is
  // computed, and no window can go on from there. Queues and returns. Throws OutOfMemory before
  // anything is delivered; whatever it throws, the next window has to begin a sequence.
  void run(std::span<const float* const> frames,
           const FrameSize& size,
           const FrameRange& emit,
           bool continues,
           const Deliver& deliver,
           Trace* trace = nullptr);

  // Gives the flows between frames t and t + 1 of the window, fp32 [height, width, 2] of the
  // features' size each, queued in the engine's stream.
  using FlowSource = std::function<void(std::int64_t t, float* there, float* back)>;

  // From now on flows come from there and are not found by the engine. REQUIRES: no run() before
  // the first such call.
  void take_flows(FlowSource source) { flow_source_ = std::move(source); }

  const FlowNet& flow_net() const { return flow_; }

  // Windows of up to so many frames are made room for at once, so that it need not grow.
  void expect_frames(int frames) { expected_frames_ = frames; }

  // Whether work that comes again is queued as graphs (it is, unless told otherwise, where no trace
  // and no observer looks on); for benches and tests. And how many there are.
  void use_graphs(bool use) { graphs_ = use; }

  std::size_t graph_count() const;

  // Sees what run() queues from now on; null: nobody does. For benches.
  void observe(Observer* observer) { compute_.observer = observer; }

  const NetworkShape& shape() const { return shape_; }

  // Bytes of device memory that a window of `frames` takes beside the weights; exact.
  // `finds_flows`: unless they are taken from elsewhere.
  static std::size_t window_bytes(const NetworkShape& shape,
                                  const Compute& compute,
                                  const FrameSize& size,
                                  int frames,
                                  bool finds_flows = true);
  // And of pinned host memory, where features are kept there.
  static std::size_t host_bytes(const NetworkShape& shape,
                                const Compute& compute,
                                const FrameSize& size,
                                int frames);
  // What the graphs of such windows take, about.
  static std::size_t graph_bytes(int frames);
  // What the weights take, about.
  static std::size_t weight_bytes(const NetworkShape& shape);

 private:
  struct Branch {
    std::string name;
    bool backward = false;
    std::array<Conv, 3> condition;  // conv_offset.0 .2 .4
    Conv heads;                     // conv_offset.6
    const void* deform_weights = nullptr;
    const float* deform_bias = nullptr;
    Conv deform_product;  // where there is no kernel for the whole
    ResidualBlocks backbone;
  };
  struct Room;
  class Window;

  static Room take_room(Arena& arena,
                        const NetworkShape& shape,
                        const Compute& compute,
                        const FrameSize& size,
                        int frames,
                        bool finds_flows);
  void make_room(const FrameSize& size, int frames);

  NetworkShape shape_;
  Compute compute_;
  gpu::Stream aside_;  // where graphs are recorded
  WeightStore store_;
  FlowNet flow_;
  std::vector<Conv> shrink_;  // x1 only: the two convolutions of stride 2
  ResidualBlocks extract_;
  std::array<Branch, 4> branches_;
  ResidualBlocks reconstruction_;
  Conv upsample1_;
  Conv upsample2_;
  PictureEnd end_;
  FlowSource flow_source_;
  int expected_frames_ = 0;
  bool graphs_ = true;

  // The sequence so far.
  std::unique_ptr<Room> room_;
  bool whole_ = false;       // the last window was given in full
  std::int64_t first_ = 0;   // its first frame, counted in the sequence
  std::int64_t frames_ = 0;  // its frames
  std::int64_t given_ = 0;   // those up to the end of what it gave
};

}  // namespace vsr::model::fused
