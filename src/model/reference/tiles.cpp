#include "tiles.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <vector>

namespace vsr::model::reference {

namespace {

// The tile's shares along one axis of (1, 3, H, W).
at::Tensor shares_of(
    const TileAxis& axis, int index, int scale, at::IntArrayRef shape, c10::Device device) {
  auto shares = axis.shares(index, scale);
  return at::from_blob(shares.data(), {static_cast<std::int64_t>(shares.size())})
      .clone()
      .to(device)
      .view(shape);
}

}  // namespace

void run_in_tiles(Generator& generator,
                  const Tiling& tiling,
                  std::span<const at::Tensor> frames,
                  const FrameRange& emit,
                  const Generator::Emit& deliver) {
  if (tiling.count() == 1) return generator.run(frames, emit, deliver);
  const auto& [across, down] = tiling;
  const int scale = generator.shape().scale();
  const c10::Device device = frames.front().device();
  std::vector<at::Tensor> pictures;
  for (std::int64_t i = 0; i < emit.size(); ++i) {
    pictures.push_back(at::zeros({1, 3, down.length() * scale, across.length() * scale},
                                 at::TensorOptions().device(device)));
  }
  std::vector<at::Tensor> flows;
  generator.find_flows(
      frames, [&](std::int64_t, const at::Tensor& found) { flows.push_back(found.clone()); });
  const auto part = [&](const at::Tensor& picture, int row, int column) {
    const auto cut = [&](const at::Tensor& from, int axis, const TileAxis& of, int index) {
      const auto at_size = [&](std::int64_t length) {
        return length * from.size(axis) / of.length();
      };
      return from.narrow(axis, at_size(of.begin(index)), at_size(of.tile()));
    };
    return cut(cut(picture, 2, down, row), 3, across, column);
  };
  for (int row = 0; row < down.count(); ++row) {
    for (int column = 0; column < across.count(); ++column) {
      const at::Tensor shares = shares_of(down, row, scale, {1, 1, -1, 1}, device)
                                    .mul(shares_of(across, column, scale, {1, 1, 1, -1}, device));
      std::vector<at::Tensor> window;
      for (const at::Tensor& frame : frames) {
        window.push_back(part(frame, row, column).contiguous());
      }
      generator.run(
          window,
          emit,
          [&](std::int64_t index, const at::Tensor& picture) {
            part(pictures[static_cast<std::size_t>(index - emit.begin)], row, column)
                .add_(picture.mul(shares));
          },
          nullptr,
          [&](std::int64_t t) { return part(flows[static_cast<std::size_t>(t)], row, column); });
    }
  }
  for (std::int64_t i = 0; i < emit.size(); ++i) {
    deliver(emit.begin + i, pictures[static_cast<std::size_t>(i)]);
  }
}

}  // namespace vsr::model::reference
