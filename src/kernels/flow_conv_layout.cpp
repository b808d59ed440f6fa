#include "flow_conv_layout.hpp"

#include "vsr/kernels/flow_conv.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace vsr::kernels {

bool is_flow_conv(int kernel, int inputs, int outputs) {
  constexpr std::array<std::pair<int, int>, 5> kShapes = {
      {{8, 32}, {32, 64}, {64, 32}, {32, 16}, {16, 2}}};
  for (const auto& shape : kShapes) {
    if (kernel == FlowConvLayout::kKernel && shape == std::pair(inputs, outputs)) return true;
  }
  return false;
}

std::vector<float> pack_flow_conv(int inputs, int outputs, const std::vector<float>& weights) {
  constexpr int kKernel = FlowConvLayout::kKernel;
  const FlowConvLayout layout{inputs, outputs};
  std::vector<float> packed;
  packed.reserve(static_cast<std::size_t>(layout.tiles * layout.tile_elements));
  for (int tile = 0; tile < layout.tiles; ++tile) {
    const int chunks = layout.part / 16;
    for (int column = 0; column < 16; column += 8) {
      for (int line = 0; line < layout.lines; ++line) {
        const int dy = layout.input_rows - 1 - line / layout.row_lines;
        for (int i = column; i < column + 8; ++i) {
          int output = line % layout.row_lines;
          int dx = 0;
          int input = 0;
          if (outputs == 2) {
            dx = output / 2;
            output %= 2;
            input = i;
          } else if (inputs == 8) {
            dx = 2 * tile + i / 8;
            input = i % 8;
          } else {
            dx = tile % layout.tiles_a_part / chunks;
            input = tile / layout.tiles_a_part * layout.part + tile % chunks * 16 + i;
          }
          const bool inside = dy >= 0 && dy < kKernel && dx < kKernel;
          const int at = ((output * inputs + input) * kKernel + dy) * kKernel + dx;
          packed.push_back(inside ? weights[static_cast<std::size_t>(at)] : 0.0f);
        }
      }
    }
  }
  return packed;
}

}  // namespace vsr::kernels
