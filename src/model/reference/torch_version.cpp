#include "vsr/model/network.hpp"

#include <torch/version.h>

namespace vsr::model {

std::string torch_version() { return TORCH_VERSION; }

}  // namespace vsr::model
