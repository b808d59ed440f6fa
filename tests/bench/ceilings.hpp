// What the GPU can do at all: what everything else is a share of.
#pragma once

#include <functional>

namespace vsr::bench {

struct Ceilings {
  double copy_gb_s = 0;        // on the device, read and written
  double product_tflop_s = 0;  // of 8192^3 halves, by torch (cuBLAS)
};

// Takes about half a second. Throws Error(kGpu).
Ceilings measure_ceilings();
// Says which GPU it is and what it can do.
void print_ceilings(const Ceilings& ceilings);

// Queues the product of two matrices of n x n random halves in the device's default stream.
std::function<void()> product_of_halves(int n);

}  // namespace vsr::bench
