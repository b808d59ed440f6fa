// The convolutions of src/kernels, compiled as C++; and what device code needs of the host side.
#include "cuda/conv.cu"
#include "vsr/base/error.hpp"

namespace vsr::kernels {

void refuse(const char* why) { throw Error(ErrorCode::kInternal, why); }

}  // namespace vsr::kernels
