// Where the network runs.
#pragma once

namespace vsr::model {

// On the CPU only fp32 is offered: half types are slower there.
struct DeviceSpec {
  bool cuda = false;
  int index = 0;  // CUDA device number within this process

  bool operator==(const DeviceSpec&) const = default;
};

}  // namespace vsr::model
