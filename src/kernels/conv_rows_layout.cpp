#include "vsr/kernels/conv_rows.hpp"

namespace vsr::kernels {

// [block of outputs][step of 16 products: tap, then channels][thread 0..127][8]: what a thread of
// the warpgroup holds of the 64 x 16 matrix of that step (operand A of wgmma.m64nNk16).
std::vector<float> pack_rows_conv(int outputs,
                                  int inputs,
                                  int first_input,
                                  const std::vector<float>& weights) {
  constexpr int kSteps = 9 * kRowsConvInputs / 16;
  std::vector<float> packed(rows_conv_elements(outputs));
  std::size_t to = 0;
  for (int block = 0; block < rows_conv_blocks(outputs); ++block) {
    for (int step = 0; step < kSteps; ++step) {
      const int tap = step / 4;
      for (int thread = 0; thread < 128; ++thread) {
        const int lane = thread % 32;
        for (int i = 0; i < 8; ++i, ++to) {
          const int row = thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
          const int column = lane % 4 * 2 + i % 2 + i / 4 * 8;
          const int output = block * kRowsConvOutputs + row;
          const int input = first_input + step % 4 * 16 + column;
          if (output < outputs && input < inputs) {
            packed[to] = weights[static_cast<std::size_t>((output * inputs + input) * 9 + tap)];
          }
        }
      }
    }
  }
  return packed;
}

}  // namespace vsr::kernels
