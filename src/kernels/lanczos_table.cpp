#include "vsr/kernels/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numbers>
#include <vector>

namespace vsr::kernels {

namespace {

constexpr double kLobes = 3;

double sinc(double x) {
  const double angle = x * std::numbers::pi;
  return angle == 0 ? 1 : std::sin(angle) / angle;
}

double lanczos(double x) { return std::abs(x) < kLobes ? sinc(x) * sinc(x / kLobes) : 0; }

// Sample `at`, or its mirror image where that is outside. An input much smaller than the kernel is
// left once more on the other side; there the edge is repeated.
int mirrored(int at, int count) {
  const int image = at < 0 ? -1 - at : at >= count ? 2 * count - 1 - at : at;
  return std::clamp(image, 0, count - 1);
}

}  // namespace

AxisTable make_lanczos_table(int in, int out) {
  const double scale = static_cast<double>(out) / in;
  const double step = std::min(scale, 1.0);
  const int reach = 2 * static_cast<int>(std::ceil(kLobes / step));
  std::vector<std::map<int, double>> rows(static_cast<std::size_t>(out));
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) / scale;
    const int begin = static_cast<int>(std::floor(centre - reach / 2 + 0.5));
    double total = 0;
    const auto weight = [&](int at) { return lanczos((at + 0.5 - centre) * step); };
    for (int at = begin; at < begin + reach; ++at) total += weight(at);
    for (int at = begin; at < begin + reach; ++at) {
      rows[static_cast<std::size_t>(i)][mirrored(at, in)] += weight(at) / total;
    }
  }

  AxisTable table{
      .in = in, .out = out, .taps = 0, .first = std::vector<int>(rows.size()), .weights = {}};
  int lowest = in;
  for (std::size_t i = rows.size(); i-- > 0;) {
    lowest = std::min(lowest, rows[i].begin()->first);
    table.first[i] = lowest;
    table.taps = std::max(table.taps, rows[i].rbegin()->first - lowest + 1);
  }
  table.weights.resize(rows.size() * static_cast<std::size_t>(table.taps));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.first[i] = std::min(table.first[i], in - table.taps);
    for (const auto& [at, weight] : rows[i]) {
      table.weights[i * static_cast<std::size_t>(table.taps) +
                    static_cast<std::size_t>(at - table.first[i])] = static_cast<float>(weight);
    }
  }
  return table;
}

}  // namespace vsr::kernels
