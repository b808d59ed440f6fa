#include "vsr/model/cpu_waiting.hpp"

#include <unistd.h>

#include <cstdlib>

namespace vsr::model {

void make_waiting_passive(char** argv) {
  constexpr const char* kVariable = "OMP_WAIT_POLICY";
  if (std::getenv(kVariable) != nullptr) return;
  if (setenv(kVariable, "passive", 1) != 0) return;
  execv("/proc/self/exe", argv);
}

}  // namespace vsr::model
