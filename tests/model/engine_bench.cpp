// Times the fused back end's network alone, frames already on the device: frames a second, what its
// thread costs the host, kernel by kernel and by graphs, share by part, memory.
//   engine_bench CHECKPOINT [WIDTH HEIGHT FRAMES [fp16|bf16 [ROUNDS [CLIP_FILE]]]]
// CLIP_FILE: raw RGB, 8 bit, of WIDTH x HEIGHT; its frames are repeated there and back. Without one
// a slowly moving texture.
#include "fused/device.hpp"
#include "fused/engine.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/model/cost.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace vsr;
using namespace vsr::model;

std::vector<float> texture(int frames, int height, int width) {
  std::vector<float> made;
  for (int t = 0; t < frames; ++t) {
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const double u = x + 1.3 * t;
          const double v = y - 0.7 * t;
          made.push_back(static_cast<float>(0.5 +
                                            0.2 * std::sin(0.21 * u + c) * std::cos(0.17 * v) +
                                            0.2 * std::sin(0.9 * u + 0.6 * v)));
        }
      }
    }
  }
  return made;
}

std::vector<float> clip(const char* path, int frames, int height, int width) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t picture = static_cast<std::size_t>(height) * width * 3;
  const int stored = static_cast<int>(bytes.size() / picture);
  if (stored < 2) throw Error(ErrorCode::kInput, "the clip is too short");
  std::vector<float> made;
  for (int t = 0; t < frames; ++t) {
    const int round = t % (2 * stored - 2);
    const auto from =
        static_cast<std::size_t>(round < stored ? round : 2 * stored - 2 - round) * picture;
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < picture / 3; ++i) {
        made.push_back(static_cast<float>(static_cast<unsigned char>(bytes[from + 3 * i + c])) /
                       255.0f);
      }
    }
  }
  return made;
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of the calling thread.
double processor_s() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

int bench(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const auto checkpoint = Checkpoint::read(argv[1]);
  const int width = number(2, 1024);
  const int height = number(3, 432);
  const int frames = number(4, 30);
  const Precision precision =
      argc > 5 && std::string(argv[5]) == "bf16" ? Precision::kBf16 : Precision::kFp16;
  const int rounds = number(6, 2);
  const gpu::Stream stream(0);
  const auto before = gpu::memory_info(0).free_bytes;
  const fused::Compute compute = fused::make_compute(precision, stream.view());
  fused::Engine engine(checkpoint, compute);
  const auto values =
      argc > 7 ? clip(argv[7], frames, height, width) : texture(frames, height, width);
  gpu::DeviceBuffer input(values.size() * sizeof(float), 0);
  gpu::copy_bytes_async(values.data(), input.data(), input.size(), stream.view());
  std::vector<const float*> window;
  for (int t = 0; t < frames; ++t) {
    window.push_back(static_cast<const float*>(input.data()) + std::size_t{3} * height * width * t);
  }
  const auto run = [&] {
    engine.run(window, {height, width}, {0, frames}, false, [](std::int64_t, const float*) {});
  };
  // Memory, modules, then graphs.
  for (const bool graphs : {false, true}) {
    engine.use_graphs(graphs);
    run();
    stream.wait();
  }
  const auto after = gpu::memory_info(0).free_bytes;
  const double gflop = network_gflop(checkpoint.shape(), {.width = width, .height = height});
  std::printf("%s %s %dx%d, %d frames\n",
              gpu::device_info(0).name.c_str(),
              to_string(precision).c_str(),
              width,
              height,
              frames);
  for (const bool graphs : {false, true, false, true}) {
    engine.use_graphs(graphs);
    const double start = now_s();
    const double processor = processor_s();
    double queuing = 0;
    for (int i = 0; i < rounds; ++i) {
      const double begin = now_s();
      run();
      queuing += now_s() - begin;
      stream.wait();  // as the upscaler does
    }
    const double seconds = now_s() - start;
    const double fps = frames * rounds / seconds;
    std::printf(
        "  %s: %.2f frames/s, %.3f ms/frame, %.0f TFLOP/s; queued in %.0f%% of it, for "
        "%.3f ms/frame of a processor\n",
        graphs ? "graphs " : "kernels",
        fps,
        1e3 / fps,
        gflop * fps / 1e3,
        100 * queuing / seconds,
        1e3 * (processor_s() - processor) / frames / rounds);
  }
  std::printf("  memory %.0f MiB, predicted %.0f MiB and %.0f MiB for %zu graphs\n",
              static_cast<double>(before - after) / (1 << 20),
              static_cast<double>(fused::Engine::window_bytes(
                  checkpoint.shape(), compute, {height, width}, frames)) /
                  (1 << 20),
              static_cast<double>(fused::Engine::graph_bytes(frames)) / (1 << 20),
              engine.graph_count());

  // By part: an event at each beginning.
  std::vector<std::pair<std::string, cudaEvent_t>> events;
  const auto mark = [&](const char* part) {
    cudaEvent_t event = nullptr;
    cudaEventCreate(&event);
    cudaEventRecord(event, static_cast<cudaStream_t>(stream.view().handle));
    events.emplace_back(part, event);
  };
  engine.observe_parts(mark);
  run();
  mark("end");
  stream.wait();
  std::map<std::string, double> parts;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    float ms = 0;
    cudaEventElapsedTime(&ms, events[i].second, events[i + 1].second);
    parts[events[i].first] += static_cast<double>(ms) / frames;
  }
  for (const auto& [part, ms] : parts) std::printf("  %-16s %8.3f ms/frame\n", part.c_str(), ms);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(
        stderr, "engine_bench CHECKPOINT [WIDTH HEIGHT FRAMES [PRECISION [ROUNDS [CLIP_FILE]]]]\n");
    return 2;
  }
  try {
    return bench(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
