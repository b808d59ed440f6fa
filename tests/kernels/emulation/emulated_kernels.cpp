// The device code of src/kernels, compiled as C++; and what it needs of the host side.
#include "cuda_emulation.hpp"
// After the names that it changes the meaning of.
#include "cuda/conv.cu"
#include "vsr/base/error.hpp"

namespace vsr::kernels {

void refuse(const char* why) { throw Error(ErrorCode::kInternal, why); }

}  // namespace vsr::kernels
