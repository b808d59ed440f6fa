#include "selftest_command.hpp"

#include "embedded_model.hpp"
#include "planning.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/model/selftest.hpp"
#include "vsr/store/golden_file.hpp"

#include <iostream>

namespace vsr::launcher {

namespace {

DeviceChoice parse_device(const std::string& text) {
  if (text == "auto") return DeviceChoice::kAuto;
  if (text == "cpu") return DeviceChoice::kCpu;
  if (text == "cuda") return DeviceChoice::kCuda;
  throw Error(ErrorCode::kUsage,
              format("--device={} is not allowed; allowed: auto, cpu, cuda", text));
}

Precision parse_precision(const std::string& text) {
  for (const Precision precision :
       {Precision::kFp32, Precision::kTf32, Precision::kBf16, Precision::kFp16}) {
    if (to_string(precision) == text) return precision;
  }
  throw Error(ErrorCode::kUsage,
              format("--precision={} is not allowed; allowed: fp32, tf32, bf16, fp16", text));
}

}  // namespace

int run_selftest(const Arguments& arguments) {
  const bool own = !arguments.checkpoint.empty() && arguments.checkpoint != "embedded";
  const std::string checkpoint_name = own ? arguments.checkpoint : "embedded";
  if (own && arguments.golden.empty()) {
    throw Error(ErrorCode::kUsage,
                "a checkpoint of your own needs golden data of its own: --golden=FILE.h5");
  }
  model::NetworkOptions options;
  options.device = choose_device(parse_device(arguments.device), 0);
  options.precision = parse_precision(arguments.precision);
  const auto checkpoint = read_checkpoint(checkpoint_name);
  std::cout << format("{}: {}, on {}, {}\n",
                      checkpoint_name,
                      checkpoint.describe(),
                      options.device.cuda ? gpu::device_info(options.device.index).name : "the CPU",
                      to_string(options.precision));
  bool passed = true;
  const auto compare = [&](const std::string& name, const store::GoldenFile& golden) {
    const auto result = model::selftest(checkpoint, options, golden);
    std::cout << format("{} ({:.2f} s)\n", name, result.seconds);
    for (const auto& row : result.rows) {
      const std::string limit = row.least_psnr_db > 0 ? format("least {:.0f} dB", row.least_psnr_db)
                                                      : format("most {:.0e}", row.most_abs_error);
      std::cout << format("  {:<16} max abs error {:.2e}  PSNR {:6.1f} dB  {:<14} {}\n",
                          row.name,
                          row.max_abs_error,
                          row.psnr_db,
                          limit,
                          row.passed ? "ok" : "FAILED");
    }
    passed = passed && result.passed;
  };
  if (arguments.golden.empty()) {
    const EmbeddedModel embedded = embedded_model();
    const std::string name = format("golden data of {}", embedded.name);
    compare(name, store::read_golden(embedded.golden, name));
  }
  for (const std::string& path : arguments.golden) compare(path, store::read_golden(path));
  if (!passed) {
    throw Error(ErrorCode::kModel,
                "the network does not compute here what it should: do not trust pictures made on "
                "this machine");
  }
  std::cout << "selftest passed\n";
  return 0;
}

}  // namespace vsr::launcher
