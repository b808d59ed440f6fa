// A table of an axis in the memory that kernels work on.
#pragma once

#include "kernel_memory.hpp"
#include "vsr/kernels/axis_table.hpp"

#include <cstddef>
#include <cstring>
#include <vector>

namespace vsr::kernels::test {

class AxisOnDevice {
 public:
  explicit AxisOnDevice(const AxisTable& table)
      : in_(table.in),
        out_(table.out),
        taps_(table.taps),
        first_(bytes_of(table.first)),
        weights_(table.weights, ElementType::kFloat) {}

  DeviceAxis axis() {
    return {in_, out_, taps_, static_cast<const int*>(first_.data()), weights_.floats()};
  }

 private:
  static std::vector<std::byte> bytes_of(const std::vector<int>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(int));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }

  int in_;
  int out_;
  int taps_;
  OnDevice first_;
  OnDevice weights_;
};

}  // namespace vsr::kernels::test
