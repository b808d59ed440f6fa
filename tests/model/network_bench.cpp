// Times the network on made-up frames: seconds by part, and the share of the convolutions' work.
//   network_bench CHECKPOINT [WIDTH HEIGHT FRAMES [fp32|tf32|bf16|fp16 [cpu|cuda [THREADS]]]]
#include "vsr/base/error.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/cpu_waiting.hpp"
#include "vsr/model/network.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace {

// A slowly moving texture, so that flows are like a film's.
vsr::model::Tensor moving_frames(std::int64_t frames, std::int64_t height, std::int64_t width) {
  vsr::model::Tensor made{{frames, 3, height, width}, {}};
  made.values.reserve(static_cast<std::size_t>(frames * 3 * height * width));
  for (std::int64_t t = 0; t < frames; ++t) {
    for (int c = 0; c < 3; ++c) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          const double u = static_cast<double>(x) + 1.3 * static_cast<double>(t);
          const double v = static_cast<double>(y) - 0.7 * static_cast<double>(t);
          made.values.push_back(
              static_cast<float>(0.5 + 0.2 * std::sin(0.21 * u + c) * std::cos(0.17 * v) +
                                 0.2 * std::sin(0.9 * u + 0.6 * v)));
        }
      }
    }
  }
  return made;
}

vsr::Precision precision_of(const std::string& name) {
  for (const auto precision :
       {vsr::Precision::kTf32, vsr::Precision::kBf16, vsr::Precision::kFp16}) {
    if (vsr::to_string(precision) == name) return precision;
  }
  return vsr::Precision::kFp32;
}

int bench(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const auto checkpoint = vsr::model::Checkpoint::read(argv[1]);
  const int width = number(2, 320);
  const int height = number(3, 180);
  const int frames = number(4, 21);
  vsr::model::NetworkOptions options;
  if (argc > 5) options.precision = precision_of(argv[5]);
  options.device.cuda = argc > 6 && std::string(argv[6]) == "cuda";
  options.cpu_threads = number(7, 0);
  vsr::model::Network network(checkpoint, options);
  const auto input = moving_frames(frames, height, width);
  const auto start = std::chrono::steady_clock::now();
  network.forward(input);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& [part, spent] : network.seconds_by_part()) {
    std::printf("%-16s %7.2f s\n", part.c_str(), spent);
  }
  const double gflop =
      frames * vsr::model::network_gflop(checkpoint.shape(), {.width = width, .height = height});
  std::printf("%-16s %7.2f s: %d frames of %dx%d, %s %s, %.2f frames/s, %.0f GFLOP/s\n",
              "all",
              seconds,
              frames,
              width,
              height,
              checkpoint.describe().c_str(),
              to_string(options.precision).c_str(),
              frames / seconds,
              gflop / seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  vsr::model::make_waiting_passive(argv);
  if (argc < 2) {
    std::fprintf(stderr,
                 "network_bench CHECKPOINT [WIDTH HEIGHT FRAMES [PRECISION [DEVICE [THREADS]]]]\n");
    return 2;
  }
  try {
    return bench(argc, argv);
  } catch (const vsr::Error& error) {
    std::fprintf(stderr, "network_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
