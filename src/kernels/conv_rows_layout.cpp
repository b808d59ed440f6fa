#include "vsr/kernels/conv_rows.hpp"

namespace vsr::kernels {

// [block of outputs][step of 16 products: row of the source, column, then channels][thread
// 0..127][8]: what a thread of the warpgroup holds of the 64 x 16 matrix of that step (operand A of
// wgmma.m64nNk16). With two rows at a time its lower half is of the lower row.
std::vector<float> pack_rows_conv(const RowsConvWeights& weights, int first_input, int inputs) {
  const int rows = rows_conv_rows(inputs, weights.outputs);
  const int outputs_a_row = kRowsConvOutputs / rows;
  std::vector<float> packed;
  for (int block = 0; block < rows_conv_blocks(weights.outputs); ++block) {
    for (int step = 0; step < (rows + 2) * 3 * inputs / 16; ++step) {
      const int source_row = step / (3 * inputs / 16);
      const int tap_x = step / (inputs / 16) % 3;
      for (int thread = 0; thread < 128; ++thread) {
        const int lane = thread % 32;
        for (int i = 0; i < 8; ++i) {
          const int row = thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
          const int column = lane % 4 * 2 + i % 2 + i / 4 * 8;
          const int tap_y = source_row - row / outputs_a_row;
          const int output = block * kRowsConvOutputs + row % outputs_a_row;
          const int input = first_input + step % (inputs / 16) * 16 + column;
          const bool there =
              tap_y >= 0 && tap_y < 3 && output < weights.outputs && input < weights.channels;
          packed.push_back(there ? weights.values[static_cast<std::size_t>(
                                       (output * weights.channels + input) * 9 + 3 * tap_y + tap_x)]
                                 : 0.0f);
        }
      }
    }
  }
  return packed;
}

}  // namespace vsr::kernels
