#include "gpu_types.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

// As launcher/embedded_model.cpp does. NOLINTBEGIN(hicpp-no-assembler)
asm(R"(
    .section .rodata
vsr_gpu_types:
    .incbin ")" VSR_GPU_TYPES R"("
vsr_gpu_types_end:
    .byte 0
    .global vsr_gpu_types, vsr_gpu_types_end
    .hidden vsr_gpu_types, vsr_gpu_types_end
    .previous
)");
// NOLINTEND(hicpp-no-assembler)

extern "C" {
extern const char vsr_gpu_types[];
extern const char vsr_gpu_types_end[];
}

namespace vsr::launcher {

namespace {

GpuTypes read() {
  const auto file = nlohmann::json::parse(vsr_gpu_types, vsr_gpu_types_end);
  const auto& reference = file.at("reference");
  GpuTypes all;
  all.network_fps = reference.at("networks").get<std::map<std::string, double>>();
  all.reference_pixels = reference.at("width").get<double>() * reference.at("height").get<double>();
  all.film_share = reference.at("film_share").get<double>();
  all.overhead_h = file.at("overhead_h").get<double>();
  for (const auto& [name, type] : file.at("gpus").items()) {
    all.types.push_back({.name = name,
                         .rate = type.at("rate").get<double>(),
                         .measured = type.at("source").get<std::string>() == "measured",
                         .cores = type.at("vcpus").get<int>(),
                         .price = type.at("price").get<double>(),
                         .price_date = type.at("price_date").get<std::string>()});
  }
  return all;
}

}  // namespace

const GpuType* GpuTypes::find(std::string_view name) const {
  const auto found = std::find_if(
      types.begin(), types.end(), [name](const GpuType& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

const GpuTypes& gpu_types() {
  static const GpuTypes all = read();
  return all;
}

}  // namespace vsr::launcher
