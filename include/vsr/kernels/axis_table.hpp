// How samples of a row, or of a column, are made of those of another one: what scales pictures, and
// what makes them small, are two of these, one across and one down.
#pragma once

#include <vector>

namespace vsr::kernels {

// Output sample i is the sum over t of weights[i * taps + t] * input[first[i] + t]. first never
// falls from one sample to the next, and all samples named are inside the input.
struct AxisTable {
  int in = 0;
  int out = 0;
  int taps = 0;
  std::vector<int> first;      // [out]
  std::vector<float> weights;  // [out, taps]
};

// The table's vectors in device memory.
struct DeviceAxis {
  int in = 0;
  int out = 0;
  int taps = 0;
  const int* first = nullptr;
  const float* weights = nullptr;
};

}  // namespace vsr::kernels
