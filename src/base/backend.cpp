#include "vsr/base/backend.hpp"

namespace vsr {

std::string to_string(Backend backend) {
  switch (backend) {
    case Backend::kAuto:
      return "auto";
    case Backend::kReference:
      return "reference";
    case Backend::kFused:
      return "fused";
  }
  return "unknown";
}

}  // namespace vsr
