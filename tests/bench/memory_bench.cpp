// What windows of the fused network take of the GPU's memory, by size and length, beside what the
// planner believes.
#include "clip.hpp"
#include "network_run.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/gpu/device.hpp"

#include <array>
#include <cmath>
#include <utility>

namespace vsr::bench {

namespace {

constexpr std::array kSizes = {std::pair(320, 180),
                               std::pair(720, 576),
                               std::pair(1024, 432),
                               std::pair(1280, 720),
                               std::pair(1920, 1080)};
constexpr std::array kFrames = {10, 30, 100};
// Of what is free, less the frames themselves and what the driver rounds up.
constexpr double kUsable = 0.9;

double mib(double bytes) { return bytes / (1 << 20); }

}  // namespace

void bench_memory(Arguments& words) {
  const auto checkpoint = model::Checkpoint::read(words.text("CHECKPOINT"));
  NetworkWork work;
  work.precision = words.precision(work.precision);
  words.end();
  work.film = shipped_clip();
  const auto free_bytes = static_cast<double>(gpu::memory_info(0).free_bytes);
  Table table({"size", "T", "MiB", "predicted MiB", "off by", "MiB a frame since", "fixed MiB"});
  for (const auto& [width, height] : kSizes) {
    work.width = width;
    work.height = height;
    double shorter = 0;  // what the last window takes, and how long it is
    int shorter_frames = 0;
    for (const int frames : kFrames) {
      work.frames = frames;
      const auto predicted = static_cast<double>(predicted_bytes(checkpoint, work));
      const double each = (predicted - shorter) / (frames - shorter_frames);
      const bool first = shorter_frames == 0;
      shorter = predicted;
      shorter_frames = frames;
      std::string measured = "does not fit";
      std::string off;
      if (predicted < kUsable * free_bytes) {
        const auto bytes = static_cast<double>(NetworkRun(checkpoint, work).memory_bytes());
        measured = format("{:.0f}", mib(bytes));
        off = format("{:.1f}%", 100 * std::abs(bytes - predicted) / bytes);
      }
      table.row({format("{}x{}", width, height),
                 format("{}", frames),
                 measured,
                 format("{:.0f}", mib(predicted)),
                 off,
                 first ? "" : format("{:.1f}", mib(each)),
                 first ? "" : format("{:.0f}", mib(predicted - each * frames))});
    }
  }
  table.print();
}

}  // namespace vsr::bench
