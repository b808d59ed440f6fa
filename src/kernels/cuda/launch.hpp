// What launching needs of the host side, in plain C++17 for the .cu files.
#pragma once

namespace vsr::kernels {

// Throws Error(kGpu) if the launch just made was refused.
void check_launch(const char* kernel);
// Error(kInternal).
[[noreturn]] void refuse(const char* why);

// Makes the stream's device current for a launch. Torch keeps it current anyway, so this is cheap.
class LaunchDevice {
 public:
  explicit LaunchDevice(int device);
  ~LaunchDevice();
  LaunchDevice(const LaunchDevice&) = delete;
  LaunchDevice& operator=(const LaunchDevice&) = delete;

 private:
  int previous_ = 0;
  int device_ = 0;
};

}  // namespace vsr::kernels
