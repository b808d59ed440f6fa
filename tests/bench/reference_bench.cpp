// The reference back end: seconds by part (on the CPU, where the work is done when a call returns).
#include "clip.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/model/cost.hpp"
#include "vsr/model/network.hpp"

#include <chrono>

namespace vsr::bench {

void bench_reference(Arguments& words) {
  const auto checkpoint = model::Checkpoint::read(words.text("CHECKPOINT"));
  const int width = words.number("WIDTH", 320);
  const int height = words.number("HEIGHT", 180);
  const int frames = words.number("FRAMES", 21);
  model::NetworkOptions options{.backend = Backend::kReference};
  options.precision = words.precision(Precision::kFp32);
  const std::string device = words.text("DEVICE", "cpu");
  if (device != "cpu" && device != "cuda") {
    throw Error(ErrorCode::kUsage, format("reference: DEVICE is '{}'; it is cpu or cuda", device));
  }
  options.device.cuda = device == "cuda";
  options.cpu_threads = words.number("THREADS", 0, 0);
  words.end();

  model::Network network(checkpoint, options);
  const model::Tensor input{{frames, 3, height, width},
                            network_frames(rgb_clip(shipped_clip(), width, height, frames))};
  const auto start = std::chrono::steady_clock::now();
  network.forward(input);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double gflop =
      frames * model::network_gflop(checkpoint.shape(), {.width = width, .height = height});
  Table all({"network", "on", "size", "frames", "s", "frames/s", "GFLOP/s"});
  all.row({format("{} {}", checkpoint.describe(), to_string(options.precision)),
           device,
           format("{}x{}", width, height),
           format("{}", frames),
           format("{:.2f}", seconds),
           format("{:.2f}", frames / seconds),
           format("{:.0f}", gflop / seconds)});
  all.print();
  Table parts({"part", "s"});
  for (const auto& [part, spent] : network.seconds_by_part()) {
    parts.row({part, format("{:.2f}", spent)});
  }
  parts.print();
}

}  // namespace vsr::bench
