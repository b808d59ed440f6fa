// The device code of src/kernels, compiled as C++; and what it needs of the host side.
#include "cuda/conv.cu"
#include "cuda_emulation.hpp"
#include "vsr/base/error.hpp"

namespace vsr::kernels {

void refuse(const char* why) { throw Error(ErrorCode::kInternal, why); }

}  // namespace vsr::kernels
