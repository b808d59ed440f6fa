#include "fused/tiles.hpp"

#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/kernels/flow_levels.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace vsr::model::fused {

namespace {

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

std::int64_t samples(std::int64_t width, std::int64_t height) { return 3 * width * height; }

// How much smaller than the frames features are.
int shrink_of(const NetworkShape& shape) { return shape.low_res_input ? 1 : 4; }

}  // namespace

struct TiledEngine::Room {
  int frames = 0;
  Arena arena;
  std::vector<float*> there;  // flows of whole pictures, as the engine has them
  std::vector<float*> back;
  std::vector<float*> cut;  // the tile's part of each frame of the window
  // While flows are found; then in the same place what comes after it.
  FlowNet::Room flow;
  std::vector<float*> small_pictures;              // x1: two frames at the features' size
  std::vector<kernels::GatheredPicture> gathered;  // of each frame given
  float* picture = nullptr;                        // one of them, as it is delivered
};

TiledEngine::Room TiledEngine::take_room(Arena& arena,
                                         const NetworkShape& shape,
                                         const Tiling& tiling,
                                         int frames) {
  const auto& [across, down] = tiling;
  const int width = across.length() * shape.scale();
  const int height = down.length() * shape.scale();
  const int flow_width = across.length() / shrink_of(shape);
  const int flow_height = down.length() / shrink_of(shape);
  Room room;
  room.frames = frames;
  for (int i = 0; i < frames; ++i) {
    room.there.push_back(arena.take_values<float>(std::int64_t{2} * flow_width * flow_height));
    room.back.push_back(arena.take_values<float>(std::int64_t{2} * flow_width * flow_height));
    room.cut.push_back(arena.take_values<float>(samples(across.tile(), down.tile())));
  }
  const std::size_t mark = arena.mark();
  room.flow = FlowNet::take_room(arena, flow_height, flow_width);
  for (int i = 0; i < 2 && !shape.low_res_input; ++i) {
    room.small_pictures.push_back(arena.take_values<float>(samples(flow_width, flow_height)));
  }
  arena.rewind(mark);
  for (int i = 0; i < frames; ++i) {
    room.gathered.push_back({.data = arena.take_values<std::uint16_t>(samples(width, height)),
                             .width = width,
                             .height = height});
  }
  room.picture = arena.take_values<float>(samples(width, height));
  return room;
}

std::size_t TiledEngine::window_bytes(const NetworkShape& shape,
                                      const Compute& compute,
                                      const Tiling& tiling,
                                      int frames) {
  Arena measuring;
  take_room(measuring, shape, tiling, frames);
  return measuring.bytes() +
         Engine::window_bytes(
             shape, compute, {tiling.down.tile(), tiling.across.tile()}, frames, false);
}

TiledEngine::TiledEngine(Engine& engine, const Compute& compute, const Tiling& tiling)
    : engine_(engine), compute_(compute), tiling_(tiling), store_(compute) {
  const int scale = engine.shape().scale();
  for (int column = 0; column < tiling.across.count(); ++column) {
    shares_across_.push_back(store_.put_fp32(tiling.across.shares(column, scale)));
  }
  for (int row = 0; row < tiling.down.count(); ++row) {
    shares_down_.push_back(store_.put_fp32(tiling.down.shares(row, scale)));
  }
}

TiledEngine::~TiledEngine() = default;

void TiledEngine::make_room(int frames) {
  if (room_ != nullptr && room_->frames >= frames) return;
  frames = std::max(frames, std::exchange(expected_frames_, 0));
  room_ = nullptr;  // first, since both may not fit
  Arena measuring;
  take_room(measuring, engine_.shape(), tiling_, frames);
  Arena arena(measuring.bytes(), compute_.stream);
  auto room = std::make_unique<Room>(take_room(arena, engine_.shape(), tiling_, frames));
  room->arena = std::move(arena);
  room_ = std::move(room);
  engine_.expect_frames(frames);
}

void TiledEngine::run(std::span<const float* const> frames,
                      const FrameRange& emit,
                      int* not_finite,
                      const Engine::Deliver& deliver) {
  make_room(static_cast<int>(frames.size()));
  find_flows(frames);
  for (std::int64_t i = 0; i < emit.size(); ++i) {
    const auto& [data, width, height] = room_->gathered[to_size(i)];
    gpu::clear_async(data, to_size(samples(width, height)) * sizeof(*data), compute_.stream);
  }
  try {
    for (int row = 0; row < tiling_.down.count(); ++row) {
      for (int column = 0; column < tiling_.across.count(); ++column) {
        compute(frames, column, row, emit, not_finite);
      }
    }
  } catch (const OutOfMemory&) {
    room_ = nullptr;  // the next window is shorter, and there has to be room for both
    throw;
  }
  for (std::int64_t i = 0; i < emit.size(); ++i) {
    kernels::launch_gathered_to_rgb(room_->gathered[to_size(i)], room_->picture, compute_.stream);
    deliver(emit.begin + i, room_->picture);
  }
}

// Pictures that need tiles fill the device by one pair.
void TiledEngine::find_flows(std::span<const float* const> frames) {
  const FlowNet::Room& flow = room_->flow;
  for (std::size_t t = 0; t + 1 < frames.size(); ++t) {
    std::array pictures{frames[t], frames[t + 1]};
    for (std::size_t i = 0; i < room_->small_pictures.size(); ++i) {
      kernels::launch_quarter(
          pictures[i], flow.height, flow.width, room_->small_pictures[i], compute_.stream);
      pictures[i] = room_->small_pictures[i];
    }
    engine_.flow_net().run(
        compute_, flow, pictures, std::span(&room_->there[t], 1), std::span(&room_->back[t], 1));
  }
}

void TiledEngine::cut(
    const float* from, float* to, int column, int row, int elements, int shrink) const {
  const auto& [across, down] = tiling_;
  const auto bytes = [&](int pixels) {
    return to_size(pixels / shrink) * to_size(elements) * sizeof(float);
  };
  const std::int64_t pitch = across.length() / shrink * elements;
  const std::int64_t first =
      down.begin(row) / shrink * pitch + across.begin(column) / shrink * elements;
  gpu::copy_plane_async({.from = from + first,
                         .from_pitch_bytes = static_cast<std::ptrdiff_t>(bytes(across.length())),
                         .to = to,
                         .to_pitch_bytes = static_cast<std::ptrdiff_t>(bytes(across.tile())),
                         .row_bytes = bytes(across.tile()),
                         .rows = to_size(down.tile() / shrink)},
                        compute_.stream);
}

void TiledEngine::compute(std::span<const float* const> frames,
                          int column,
                          int row,
                          const FrameRange& emit,
                          int* not_finite) {
  const FrameSize whole{tiling_.down.length(), tiling_.across.length()};
  const FrameSize size{tiling_.down.tile(), tiling_.across.tile()};
  std::vector<const float*> window;
  for (std::size_t t = 0; t < frames.size(); ++t) {
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      cut(frames[t] + channel * whole.width * whole.height,
          room_->cut[t] + channel * size.width * size.height,
          column,
          row,
          1,
          1);
    }
    window.push_back(room_->cut[t]);
  }
  engine_.take_flows([&](std::int64_t t, float* there, float* back) {
    const int shrink = shrink_of(engine_.shape());
    cut(room_->there[to_size(t)], there, column, row, 2, shrink);
    cut(room_->back[to_size(t)], back, column, row, 2, shrink);
  });
  const int scale = engine_.shape().scale();
  engine_.run(window, size, emit, false, [&](std::int64_t index, const float* picture) {
    kernels::launch_add_tile({.data = picture,
                              .width = size.width * scale,
                              .height = size.height * scale,
                              .across = shares_across_[to_size(column)],
                              .down = shares_down_[to_size(row)]},
                             room_->gathered[to_size(index - emit.begin)],
                             tiling_.across.begin(column) * scale,
                             tiling_.down.begin(row) * scale,
                             not_finite,
                             compute_.stream);
  });
}

}  // namespace vsr::model::fused
