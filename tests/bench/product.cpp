// Beside the reference back end the one file that sees torch: cuBLAS comes with it.
#include "ceilings.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>

namespace vsr::bench {

std::function<void()> product_of_halves(int n) {
  const auto options = at::TensorOptions().dtype(at::kHalf).device(at::kCUDA, 0);
  const at::Tensor a = at::randn({n, n}, options);
  const at::Tensor b = at::randn({n, n}, options);
  at::Tensor out = at::empty_like(a);
  return [=]() mutable { at::matmul_out(out, a, b); };
}

}  // namespace vsr::bench
