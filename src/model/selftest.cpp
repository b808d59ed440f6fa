#include "vsr/model/selftest.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>

namespace vsr::model {

namespace {

// Largest errors in fp32. Two independent fp32 programs differ by a fifth of these at most; the
// subtlest known mistake moves the output fifty times as far.
constexpr double kMostOutput = 2e-5;
constexpr double kMostFlow = 5e-5;  // pixels
constexpr double kMostFeature = 1e-4;

bool is_flow(const std::string& name) { return name.starts_with("flows"); }

// In the other precisions only the picture is held to something.
double least_psnr_db(Precision precision) {
  switch (precision) {
    case Precision::kTf32:
      return 55;
    case Precision::kFp16:
      return 50;
    case Precision::kBf16:
      return 38;
    case Precision::kFp32:
      break;
  }
  return 0;
}

const store::GoldenArray& required(const store::GoldenFile& golden, const char* name) {
  const auto found = golden.arrays.find(name);
  if (found == golden.arrays.end() || found->second.shape.size() != 4) {
    throw Error(ErrorCode::kModel, format("the golden file holds no frames '{}'", name));
  }
  return found->second;
}

// Compares every stride-th row and column of `whole` with `stored`.
SelftestRow compare(const std::string& name,
                    const store::GoldenArray& stored,
                    const Tensor& whole) {
  if (stored.full_shape != whole.shape) {
    throw Error(ErrorCode::kModel,
                format("the golden file's '{}' is of another shape than this network's", name));
  }
  const std::int64_t maps = stored.shape[0] * stored.shape[1];
  const std::int64_t rows = stored.shape[2];
  const std::int64_t columns = stored.shape[3];
  double most = 0;
  double squares = 0;
  double peak = 1;
  std::size_t next = 0;
  for (std::int64_t map = 0; map < maps; ++map) {
    for (std::int64_t y = 0; y < rows; ++y) {
      const std::int64_t line = (map * whole.shape[2] + y * stored.stride) * whole.shape[3];
      for (std::int64_t x = 0; x < columns; ++x, ++next) {
        const double expected = stored.values[next];
        const double got = whole.values[static_cast<std::size_t>(line + x * stored.stride)];
        const double error = std::abs(got - expected);
        // Written so that what is not a number counts as the worst there is.
        if (!(error <= most)) most = std::isnan(error) ? HUGE_VAL : error;
        squares += error * error;
        peak = std::max(peak, std::abs(expected));
      }
    }
  }
  SelftestRow row{.name = name, .max_abs_error = most};
  const double mean = next > 0 ? squares / static_cast<double>(next) : 0;
  row.psnr_db =
      mean > 0 ? 10 * std::log10(peak * peak / mean) : std::numeric_limits<double>::infinity();
  if (std::isnan(mean) || std::isinf(most)) row.psnr_db = 0;
  return row;
}

void judge(SelftestRow& row, Precision precision) {
  if (precision == Precision::kFp32) {
    row.most_abs_error = is_flow(row.name)      ? kMostFlow
                         : row.name == "output" ? kMostOutput
                                                : kMostFeature;
    row.passed = row.max_abs_error <= row.most_abs_error;
    return;
  }
  row.least_psnr_db = row.name == "output" ? least_psnr_db(precision) : 0;
  row.passed = row.psnr_db >= row.least_psnr_db && std::isfinite(row.max_abs_error);
}

}  // namespace

SelftestResult selftest(const Checkpoint& checkpoint,
                        const NetworkOptions& options,
                        const store::GoldenFile& golden) {
  const store::GoldenArray& input = required(golden, "lq");
  required(golden, "output");
  if (input.stride != 1) {
    throw Error(ErrorCode::kModel, "the golden file's input 'lq' is not whole");
  }
  Network network(checkpoint, options);
  Intermediates intermediates;
  const auto start = std::chrono::steady_clock::now();
  const Tensor output = network.forward({input.shape, input.values}, &intermediates);
  SelftestResult result;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.rows.push_back(compare("output", golden.arrays.at("output"), output));
  for (const auto& [name, stored] : golden.arrays) {
    const auto computed = intermediates.find(name);
    if (computed == intermediates.end() || stored.values.empty()) continue;
    result.rows.push_back(compare(name, stored, computed->second));
  }
  result.passed = true;
  for (SelftestRow& row : result.rows) {
    judge(row, options.precision);
    result.passed = result.passed && row.passed;
  }
  return result;
}

}  // namespace vsr::model
