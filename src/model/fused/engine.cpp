#include "fused/engine.hpp"

#include "fused/kept_maps.hpp"
#include "fused/launch.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/model/cost.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace vsr::model::fused {

namespace {

// Frames whose spatial features are computed at once.
constexpr int kFeatureFrames = 4;
// Of the last branch only the frame at work and the two visited before it are kept.
constexpr int kLastResults = 3;
// Frames before the window whose results the forward branches go on from.
constexpr int kPast = 2;
// Device memory that a graph takes, about.
constexpr std::size_t kGraphBytes = std::size_t{180} << 10;
// Of a place of a frame: one a branch, the last with and without the picture.
constexpr std::size_t kGraphsByPlace = 5;
constexpr int kLastChannels = 64;  // of the second upsampling, whatever the network's width
// Pixels whose samples stand in memory at a time, where alignment is not one kernel.
constexpr std::int64_t kColumnPixels = 1 << 16;

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// A convolution of stride 2 as one of stride 1 over blocks of 2x2 pixels, channels (dy, dx, k): of
// the 3x3 blocks only those above and to the left, and the middle one, are looked at.
ConvWeights of_blocks(const ConvWeights& strided) {
  const int inputs = strided.inputs();
  ConvWeights made{.outputs = strided.outputs, .sources = {4 * inputs}, .bias = strided.bias};
  made.weights.resize(to_size(made.outputs) * to_size(4 * inputs) * 9);
  for (int output = 0; output < made.outputs; ++output) {
    for (int input = 0; input < inputs; ++input) {
      for (int tap = 0; tap < 9; ++tap) {
        // Row 2y + tap / 3 - 1 of the pixels is row 1 of the block above, or 0 or 1 of this one.
        const auto split = [](int offset) {
          return offset == 0 ? std::pair(0, 1) : std::pair(1, offset - 1);
        };
        const auto [block_y, dy] = split(tap / 3);
        const auto [block_x, dx] = split(tap % 3);
        const int channel = (2 * dy + dx) * inputs + input;
        made.weights[to_size((output * 4 * inputs + channel) * 9 + 3 * block_y + block_x)] =
            strided.weights[to_size((output * inputs + input) * 9 + tap)];
      }
    }
  }
  return made;
}

kernels::DeformAlignKernel align_kernel(const Compute& compute) {
  return compute.hopper ? kernels::DeformAlignKernel::kHopper
                        : kernels::DeformAlignKernel::kGeneric;
}

Map nothing_like(const Map& map) {
  Map none = map;
  none.data = nullptr;
  return none;
}

}  // namespace

FrameSize padded(const NetworkShape& shape, const FrameSize& size) {
  const auto padded_size = [&](int value) {
    if (shape.low_res_input) return std::max(value, 64);
    return std::max((value + 3) / 4 * 4, 256);
  };
  return {padded_size(size.height), padded_size(size.width)};
}

// The memory of windows of one size.
//
// Note [Graphs]
// What a branch does at a frame once two others were visited is the same kernels on the same memory
// whenever the frame's place comes round: all of it follows from the branch and the place. So it is
// recorded as a graph the first time and queued by one call from then on, as long as the room
// lives. From outside come the frames alone; what reads them (features, flows, the picture's end)
// is queued as ever, and so are a branch's first two steps. A kernel by itself costs the host 4 us,
// and a host that is a thousand of them ahead does not sleep but spins: that is the gain, more than
// the device's time.
struct Engine::Room {
  FrameSize size;
  int height = 0;  // of features
  int width = 0;
  std::int64_t capacity = 0;  // frames
  Arena arena;

  // By frame, modulo capacity.
  KeptMaps kept;                  // S, and P of the first three branches
  float* there = nullptr;         // flow from the frame to the next one, [height, width, 2] each
  float* back = nullptr;          // and from the next one back to it
  Map last_results;               // P of the last branch; see last_place()
  float* last_picture = nullptr;  // the last frame of the last window

  // To work in.
  FlowNet::Room flow;
  std::vector<float*> small_pictures;  // x1: the frames at the features' size
  Map pictures;                        // frames as maps, or blocks of them
  Map shrunk;                          // x1: after the first convolution of stride 2
  Map shrunk_blocks;
  std::array<Map, 2> extract;  // kFeatureFrames images
  Map warped1;
  Map warped2;
  float* flow2 = nullptr;
  Map flow_map;
  std::array<Map, 2> hidden;
  Map heads;
  Map columns;    // kColumnPixels wide, where alignment is not one kernel
  Map no_second;  // zeros, likewise
  Map aligned;
  Map x;
  Map y;
  Map up1;
  Map up2;
  Map before_picture;  // where the network's end is not one kernel
  float* picture = nullptr;

  std::map<std::pair<std::size_t, std::int64_t>, gpu::Graph> graphs;  // see Window::replay()

  // Of the last branch's results that of the frame at `slot`: a place of its own for as long as
  // the next two frames need it, also where the slots begin anew.
  std::int64_t last_place(std::int64_t slot) const {
    const std::int64_t whole = capacity - capacity % kLastResults;
    return slot < whole ? slot % kLastResults : kLastResults + slot - whole;
  }
};

Engine::Room Engine::take_room(Arena& arena,
                               const NetworkShape& shape,
                               const Compute& compute,
                               const FrameSize& size,
                               int frames,
                               bool finds_flows) {
  const int shrink = shape.low_res_input ? 1 : 4;
  const int h = size.height / shrink;
  const int w = size.width / shrink;
  const int c = shape.mid_channels;
  const std::int64_t pixels = std::int64_t{h} * w;
  const auto map = [&](int channels, int images = 1) {
    return arena.take_map(images, h, w, channels);
  };
  Room room;
  room.size = size;
  room.height = h;
  room.width = w;
  room.kept = KeptMaps(arena, frames + kPast, h, w, c, compute.host_features);
  room.capacity = room.kept.capacity();
  room.there = arena.take_values<float>(room.capacity * pixels * 2);
  room.back = arena.take_values<float>(room.capacity * pixels * 2);
  room.last_results = map(c, static_cast<int>(kLastResults + room.capacity % kLastResults));
  room.last_picture = arena.take_values<float>(std::int64_t{3} * size.height * size.width);
  if (finds_flows) room.flow = FlowNet::take_room(arena, h, w);
  if (shape.low_res_input) {
    room.pictures = map(3, kFeatureFrames);
  } else {
    for (int i = 0; finds_flows && i <= room.flow.pairs; ++i) {
      room.small_pictures.push_back(arena.take_values<float>(3 * pixels));
    }
    room.pictures = arena.take_map(1, 2 * h, 2 * w, 4 * 3);
    room.shrunk = arena.take_map(1, 2 * h, 2 * w, c);
    room.shrunk_blocks = arena.take_map(1, h, w, 4 * kernels::padded_channels(c));
  }
  for (Map& extract : room.extract) extract = map(c, kFeatureFrames);
  room.warped1 = map(c);
  room.warped2 = map(c);
  room.flow2 = arena.take_values<float>(pixels * 2);
  room.flow_map = map(kernels::kFlowMapChannels);
  for (Map& hidden : room.hidden) hidden = map(c);
  room.heads = map(kernels::kDeformHeadChannels);
  if (!kernels::has_deform_align(c)) {
    const int rows = static_cast<int>(std::clamp<std::int64_t>(kColumnPixels / w, 1, h));
    room.columns = arena.take_map(1, rows, w, kernels::kDeformTaps * 2 * c);
    room.no_second = map(c);
  }
  room.aligned = map(c);
  room.x = map(c);
  room.y = map(c);
  room.up1 = arena.take_map(1, 2 * h, 2 * w, c);
  room.up2 = arena.take_map(1, 4 * h, 4 * w, kLastChannels);
  if (PictureEnd::needs_map(compute)) {
    room.before_picture = arena.take_map(1, 4 * h, 4 * w, kLastChannels);
  }
  room.picture = arena.take_values<float>(16 * pixels * 3);
  return room;
}

std::size_t Engine::window_bytes(const NetworkShape& shape,
                                 const Compute& compute,
                                 const FrameSize& size,
                                 int frames,
                                 bool finds_flows) {
  Arena measuring;
  take_room(measuring, shape, compute, size, frames, finds_flows);
  return measuring.bytes();
}

std::size_t Engine::host_bytes(const NetworkShape& shape,
                               const Compute& compute,
                               const FrameSize& size,
                               int frames) {
  Arena measuring;
  return take_room(measuring, shape, compute, size, frames, false).kept.host_bytes();
}

std::size_t Engine::graph_bytes(int frames) {
  return to_size(frames + kPast) * kGraphsByPlace * kGraphBytes;
}

std::size_t Engine::graph_count() const { return room_ == nullptr ? 0 : room_->graphs.size(); }

std::size_t Engine::weight_bytes(const NetworkShape& shape) {
  constexpr std::size_t kBytes = 2;
  return static_cast<std::size_t>(network_parameters(shape) * 1.2) * kBytes;  // some are padded
}

void Engine::make_room(const FrameSize& size, int frames) {
  if (room_ != nullptr && room_->size == size && room_->capacity >= frames + kPast) return;
  // Once: should it be too much, shorter windows come.
  frames = std::max(frames, std::exchange(expected_frames_, 0));
  room_ = nullptr;  // first, since both may not fit
  const bool finds_flows = !flow_source_;
  Arena arena(window_bytes(shape_, compute_, size, frames, finds_flows), compute_.stream);
  auto room = std::make_unique<Room>(take_room(arena, shape_, compute_, size, frames, finds_flows));
  room->arena = std::move(arena);
  room->kept.take_host_memory(compute_.stream);
  room_ = std::move(room);
  whole_ = false;
}

bool Engine::supports(const NetworkShape& shape) {
  return shape.num_blocks > 0 && shape.mid_channels % 8 == 0;
}

Engine::Engine(const Checkpoint& checkpoint, const Compute& compute)
    : shape_(checkpoint.shape()),
      compute_(compute),
      aside_(compute.stream.device),
      store_(compute),
      flow_(store_, checkpoint) {
  const int c = shape_.mid_channels;
  const auto conv = [&](const std::string& key, std::vector<int> sources) {
    return Conv(store_, conv_weights(checkpoint, key, std::move(sources)));
  };
  const auto shuffled = [&](const std::string& key) {
    const ConvWeights weights = conv_weights(checkpoint, key, {c});
    return Conv(store_, reordered(weights, shuffle_order(weights.outputs)));
  };
  if (shape_.low_res_input) {
    extract_ = ResidualBlocks(store_, checkpoint, "feat_extract", {3}, 5);
  } else {
    shrink_.emplace_back(store_, of_blocks(conv_weights(checkpoint, "feat_extract.0", {3})));
    shrink_.emplace_back(store_, of_blocks(conv_weights(checkpoint, "feat_extract.2", {c})));
    extract_ = ResidualBlocks(store_, checkpoint, "feat_extract.4", {c}, 5);
  }
  const bool one_kernel = kernels::has_deform_align(c);
  for (std::size_t q = 0; q < branches_.size(); ++q) {
    constexpr std::array kNames = {"backward_1", "forward_1", "backward_2", "forward_2"};
    Branch& branch = branches_[q];
    branch.name = kNames[q];
    branch.backward = q % 2 == 0;
    const std::string align = "deform_align." + branch.name;
    // The network has the flows last and so have we: warped1, spatial, warped2, flows.
    branch.condition = {conv(align + ".conv_offset.0", {c, c, c, 4}),
                        conv(align + ".conv_offset.2", {c}),
                        conv(align + ".conv_offset.4", {c})};
    const ConvWeights heads = conv_weights(checkpoint, align + ".conv_offset.6", {c});
    branch.heads =
        Conv(store_, one_kernel ? reordered(heads, kernels::deform_head_order()) : heads);
    const ConvWeights deform = conv_weights(checkpoint, align, {2 * c});
    if (one_kernel) {
      branch.deform_weights =
          store_.put(kernels::pack_deform_align(align_kernel(compute_), c, deform.weights));
      branch.deform_bias = store_.put_fp32(deform.bias);
    } else {
      ConvWeights product{.kernel = 1,
                          .outputs = c,
                          .sources = {kernels::kDeformTaps * 2 * c},
                          .weights = std::vector<float>(deform.weights.size()),
                          .bias = deform.bias};
      for (int i = 0; i < c * 2 * c * kernels::kDeformTaps; ++i) {
        const int tap = i % kernels::kDeformTaps;
        const int input = i / kernels::kDeformTaps % (2 * c);
        const int output = i / kernels::kDeformTaps / (2 * c);
        product.weights[to_size((output * kernels::kDeformTaps + tap) * 2 * c + input)] =
            deform.weights[to_size(i)];
      }
      branch.deform_product = Conv(store_, product);
    }
    branch.backbone = ResidualBlocks(store_,
                                     checkpoint,
                                     "backbone." + branch.name,
                                     std::vector<int>(q + 2, c),
                                     shape_.num_blocks);
  }
  reconstruction_ = ResidualBlocks(store_, checkpoint, "reconstruction", std::vector<int>(5, c), 5);
  upsample1_ = shuffled("upsample1.upsample_conv");
  upsample2_ = shuffled("upsample2.upsample_conv");
  end_ = PictureEnd(store_,
                    conv_weights(checkpoint, "conv_hr", {kLastChannels}),
                    conv_weights(checkpoint, "conv_last", {kLastChannels}));
}

Engine::~Engine() = default;

// One run over one window.
class Engine::Window {
 public:
  Window(Engine& engine,
         std::span<const float* const> frames,
         std::int64_t first,
         std::int64_t known,
         Trace* trace)
      : net_(engine),
        room_(*engine.room_),
        frames_(frames),
        count_(static_cast<std::int64_t>(frames.size())),
        first_(first),
        known_(known),
        trace_(trace) {}

  void run(const FrameRange& emit, const Deliver& deliver) {
    extract();
    find_flows();
    for (std::size_t q = 0; q < kLast; ++q) {
      go_through(q, count_, [&](std::int64_t t, std::int64_t visits) {
        replay(q, t, visits, [&] { step(q, t, visits); });
      });
    }
    const std::int64_t end = trace_ != nullptr ? count_ : emit.end;
    go_through(kLast, end, [&](std::int64_t t, std::int64_t visits) {
      const bool given = emit.contains(t);
      replay(given ? kLastAndPicture : kLast, t, visits, [&] {
        step(kLast, t, visits);
        if (given) reconstruct(t);
      });
      if (given) deliver(t, picture(t));
    });
  }

 private:
  static constexpr std::size_t kLast = 3;  // branch
  // Beside the branches' numbers.
  static constexpr std::size_t kLastAndPicture = 4;

  void begin_part(const char* part) const {
    if (net_.compute_.observer != nullptr) net_.compute_.observer->begin_part(part);
  }

  std::int64_t slot(std::int64_t t) const { return (first_ + t) % room_.capacity; }

  Map spatial(std::int64_t t, int images = 1) const { return room_.kept.at(0, first_ + t, images); }

  Map result(std::size_t q, std::int64_t t) const {
    return q == kLast ? image_of(room_.last_results, room_.last_place(slot(t)))
                      : room_.kept.at(q + 1, first_ + t);
  }

  float* flow_there(std::int64_t t) const { return room_.there + slot(t) * flow_elements(); }

  float* flow_back(std::int64_t t) const { return room_.back + slot(t) * flow_elements(); }

  std::int64_t flow_elements() const { return std::int64_t{room_.height} * room_.width * 2; }

  // The flow from frame t to the frame that the branch visits before it.
  float* flow_to_previous(bool backward, std::int64_t t) const {
    return backward ? flow_there(t) : flow_back(t - 1);
  }

  void extract() {
    begin_part("features");
    for (std::int64_t t = known_; t < count_;) {
      // Frames whose places follow each other are done at once.
      const int images = net_.shape_.low_res_input
                             ? static_cast<int>(std::min<std::int64_t>(
                                   {kFeatureFrames, count_ - t, room_.kept.in_a_row(first_ + t)}))
                             : 1;
      const auto several = [&](const Map& maps) { return image_of(maps, 0, images); };
      for (int i = 0; i < images; ++i) room_.kept.begin({.frame = first_ + t + i});
      Map input = several(room_.pictures);
      if (net_.shape_.low_res_input) {
        for (int i = 0; i < images; ++i) {
          launch_picture_map(net_.compute_, frames_[to_size(t + i)], image_of(room_.pictures, i));
        }
      } else {
        launch_picture_blocks(net_.compute_, frames_[to_size(t)], input);
        const Conv::Ending leaky{.activation = ConvActivation::kLeakyRelu};
        net_.shrink_[0].run(net_.compute_, {input}, room_.shrunk, leaky);
        launch_space_to_depth(
            net_.compute_, room_.shrunk, net_.shape_.mid_channels, blocks_of_shrunk());
        input = image_of(room_.extract[0], 0);
        net_.shrink_[1].run(net_.compute_, {blocks_of_shrunk()}, input, leaky);
      }
      // For x1 `input` is the second map to work in as well: it is read before it is written.
      net_.extract_.run(net_.compute_,
                        {input},
                        several(room_.extract[1]),
                        several(room_.extract[0]),
                        spatial(t, images));
      for (int i = 0; i < images; ++i) {
        if (trace_ != nullptr) trace_->see_map("spatial", t + i, spatial(t + i));
        room_.kept.end({.frame = first_ + t + i});
      }
      t += images;
    }
  }

  // Blocks hold the network's channels without padding in between.
  Map blocks_of_shrunk() const {
    Map blocks = room_.shrunk_blocks;
    blocks.channels = kernels::padded_channels(4 * net_.shape_.mid_channels);
    return blocks;
  }

  void find_flows() {
    begin_part("flow");
    if (net_.flow_source_) return take_flows();
    // The last known frame, which may be the one before this window.
    const std::int64_t begin = std::max<std::int64_t>(known_ - 1, first_ > 0 ? -1 : 0);
    for (std::int64_t t = begin; t + 1 < count_;) {
      const std::int64_t pairs = std::min<std::int64_t>(room_.flow.pairs, count_ - 1 - t);
      std::vector<const float*> pictures;
      std::vector<float*> there;
      std::vector<float*> back;
      for (std::int64_t i = 0; i <= pairs; ++i) {
        const float* picture = t + i < 0 ? room_.last_picture : frames_[to_size(t + i)];
        if (!net_.shape_.low_res_input) {
          float* const small = room_.small_pictures[to_size(i)];
          launch_quarter(net_.compute_, picture, room_.height, room_.width, small);
          picture = small;
        }
        pictures.push_back(picture);
        if (i == pairs) break;
        there.push_back(flow_there(t + i));
        back.push_back(flow_back(t + i));
      }
      net_.flow_.run(net_.compute_, room_.flow, pictures, there, back);
      for (std::int64_t i = t; i < t + pairs && trace_ != nullptr; ++i) {
        trace_->see_flow("flows_backward", i, flow_there(i), room_.height, room_.width);
        trace_->see_flow("flows_forward", i, flow_back(i), room_.height, room_.width);
      }
      t += pairs;
    }
  }

  void take_flows() {
    for (std::int64_t t = 0; t + 1 < count_; ++t) {
      net_.flow_source_(t, flow_there(t), flow_back(t));
    }
  }

  // `work` at every frame before `end` in branch q's order, told how many frames of the sequence it
  // visited before.
  template <typename Work>
  void go_through(std::size_t q, std::int64_t end, const Work& work) {
    const bool backward = net_.branches_[q].backward;
    for (std::int64_t i = 0; i < end; ++i) {
      const std::int64_t t = backward ? end - 1 - i : i;
      const std::int64_t visits = backward ? i : first_ + i;
      const KeptMaps::Visit visit{.reads = q + 1,
                                  .frame = first_ + t,
                                  .direction = backward ? -1 : 1,
                                  .to_come = end - 1 - i,
                                  .past = std::min<std::int64_t>(visits, kPast)};
      room_.kept.begin(visit);
      work(t, visits);
      room_.kept.end(visit);
    }
  }

  // Does `work` of that kind at frame t, `visits` frames of the sequence having been visited
  // before, or queues what it queued when frame t's place came up last; see Note [Graphs].
  template <typename Work>
  void replay(std::size_t kind, std::int64_t t, std::int64_t visits, const Work& work) {
    if (!net_.graphs_ || visits < kPast || trace_ != nullptr || net_.compute_.observer != nullptr)
      return work();
    const std::pair key(kind, slot(t));
    try {
      auto found = room_.graphs.find(key);
      if (found == room_.graphs.end()) {
        found = room_.graphs.emplace(key, gpu::Graph::record(net_.aside_, aside(work))).first;
      }
      found->second.queue(net_.compute_.stream);
    } catch (const OutOfMemory&) {
      work();  // the device is full to the brim
    }
  }

  // `work`, queued in the stream that is recorded.
  template <typename Work>
  auto aside(const Work& work) {
    return [this, &work] {
      struct Detour {
        gpu::StreamView& stream;
        const gpu::StreamView usual;

        ~Detour() { stream = usual; }
      };

      const Detour detour{net_.compute_.stream, net_.compute_.stream};
      net_.compute_.stream = net_.aside_.view();
      work();
    };
  }

  // Branch q at frame t, having visited `visits` frames of the sequence before.
  void step(std::size_t q, std::int64_t t, std::int64_t visits) {
    const Branch& branch = net_.branches_[q];
    Conv::Sources sources = inputs_of(q, t);
    const Map aligned = visits > 0 ? align(branch, q, t, visits) : nothing_like(room_.aligned);
    sources.push_back(aligned);
    const Map made = result(q, t);
    begin_part("backbone");
    branch.backbone.run(net_.compute_, sources, room_.x, room_.y, made, aligned.data);
    if (trace_ != nullptr) trace_->see_map(branch.name, t, made);
  }

  // S[t] and the results of the branches before q, in running order.
  Conv::Sources inputs_of(std::size_t q, std::int64_t t) const {
    Conv::Sources sources{spatial(t)};
    for (std::size_t branch = 0; branch < q; ++branch) sources.push_back(result(branch, t));
    return sources;
  }

  // Branch q's results at the frames visited before t, brought to t.
  Map align(const Branch& branch, std::size_t q, std::int64_t t, std::int64_t visits) {
    const std::int64_t direction = branch.backward ? 1 : -1;
    const bool second = visits > 1;
    const Map x1 = result(q, t + direction);
    const Map x2 = second ? result(q, t + 2 * direction) : nothing_like(x1);
    const float* const flow1 = flow_to_previous(branch.backward, t);
    begin_part("context");
    launch(net_.compute_,
           kernels::AlignmentContextCall{
               .height = x1.height,
               .width = x1.width,
               .channels = x1.channels,
               .x1 = x1.data,
               .flow1 = flow1,
               .x2 = x2.data,
               .flow_t1_t2 = second ? flow_to_previous(branch.backward, t + direction) : nullptr,
               .warped1 = room_.warped1.data,
               .warped2 = room_.warped2.data,
               .flow2 = room_.flow2,
               .flow_map = room_.flow_map.data});
    const Conv::Ending leaky{.activation = ConvActivation::kLeakyRelu, .saturate = true};
    const Map warped2 = second ? room_.warped2 : nothing_like(room_.warped2);
    const auto& [first, middle, last] = branch.condition;
    const auto& [a, b] = room_.hidden;
    begin_part("condition");
    first.run(net_.compute_, {room_.warped1, spatial(t), warped2, room_.flow_map}, a, leaky);
    middle.run(net_.compute_, {a}, b, leaky);
    last.run(net_.compute_, {b}, a, leaky);
    begin_part("heads");
    branch.heads.run(net_.compute_, {a}, room_.heads, {.saturate = true});
    begin_part("alignment");
    if (kernels::has_deform_align(net_.shape_.mid_channels)) {
      launch(net_.compute_,
             kernels::DeformAlignCall{.kernel = align_kernel(net_.compute_),
                                      .shape = {x1.height, x1.width, net_.shape_.mid_channels},
                                      .x1 = x1.data,
                                      .x2 = x2.data,
                                      .heads = room_.heads.data,
                                      .flow1 = flow1,
                                      .flow2 = room_.flow2,
                                      .weights = branch.deform_weights,
                                      .bias = branch.deform_bias,
                                      .out = room_.aligned.data});
    } else {
      align_by_columns(branch, x1, second ? x2 : room_.no_second, flow1);
    }
    return room_.aligned;
  }

  // For widths that no kernel was made for: samples to memory, then a product. Their channels are
  // those of the maps, so a width that is no multiple of 16 is unpacked first.
  void align_by_columns(const Branch& branch, const Map& x1, const Map& x2, const float* flow1) {
    const std::int64_t width = x1.width;
    for (int row = 0; row < x1.height; row += room_.columns.height) {
      Map columns = room_.columns;
      columns.height = std::min(columns.height, x1.height - row);
      launch_align_columns(net_.compute_,
                           {.shape = {x1.height, x1.width, net_.shape_.mid_channels},
                            .x1 = x1.data,
                            .x2 = x2.data,
                            .heads = static_cast<const std::uint16_t*>(room_.heads.data) +
                                     row * width * room_.heads.channels,
                            .flow1 = flow1,
                            .flow2 = room_.flow2,
                            .columns = columns.data,
                            .map_channels = x1.channels},
                           {row * width, (row + columns.height) * width});
      Map out = room_.aligned;
      out.data = static_cast<std::uint16_t*>(out.data) + row * width * out.channels;
      out.height = columns.height;
      branch.deform_product.run(net_.compute_, {columns}, out, {});
    }
  }

  // Up to the map that the picture is made from.
  void reconstruct(std::int64_t t) {
    Conv::Sources sources = inputs_of(3, t);
    sources.push_back(result(3, t));
    begin_part("reconstruction");
    net_.reconstruction_.run(net_.compute_, sources, room_.x, room_.y, room_.x);
    const Conv::Ending shuffled{.activation = ConvActivation::kLeakyRelu, .shuffle = true};
    begin_part("upsampling");
    net_.upsample1_.run(net_.compute_, {room_.x}, room_.up1, shuffled);
    net_.upsample2_.run(net_.compute_, {room_.up1}, room_.up2, shuffled);
  }

  const float* picture(std::int64_t t) {
    begin_part("picture");
    net_.end_.run(net_.compute_,
                  room_.up2,
                  room_.before_picture,
                  frames_[to_size(t)],
                  net_.shape_.low_res_input ? 4 : 1,
                  room_.picture);
    return room_.picture;
  }

  Engine& net_;
  Room& room_;
  std::span<const float* const> frames_;
  std::int64_t count_;
  std::int64_t first_;  // number of the first frame in the sequence
  std::int64_t known_;  // frames whose spatial features, and flows between them, are there
  Trace* trace_;
};

void Engine::run(std::span<const float* const> frames,
                 const FrameSize& size,
                 const FrameRange& emit,
                 bool continues,
                 const Deliver& deliver,
                 Trace* trace) {
  const auto count = static_cast<std::int64_t>(frames.size());
  if (frames.empty() || !FrameRange{0, count}.contains(emit) || !(padded(shape_, size) == size)) {
    throw Error(ErrorCode::kInternal,
                format("a window of {} frames cannot give frames {} to {}, {}x{}",
                       count,
                       emit.begin,
                       emit.end,
                       size.width,
                       size.height));
  }
  make_room(size, static_cast<int>(count));
  const bool goes_on = std::exchange(whole_, false) && continues;
  if (continues && !goes_on) {
    throw Error(ErrorCode::kInternal, "a window that continues what is not there any more");
  }
  const std::int64_t known = goes_on ? frames_ - given_ : 0;
  first_ = goes_on ? first_ + given_ : 0;
  Window(*this, frames, first_, std::min(known, count), trace).run(emit, deliver);
  gpu::copy_bytes_async(frames.back(),
                        room_->last_picture,
                        sizeof(float) * 3 * to_size(size.height) * to_size(size.width),
                        compute_.stream);
  frames_ = count;
  given_ = emit.end;
  whole_ = trace == nullptr;
}

}  // namespace vsr::model::fused
