// What tiles cost: the fused back end's pictures in tiles against the same pictures whole, time and
// memory of both.
//   tile_bench CHECKPOINT CLIP_FILE|- WIDTH HEIGHT FRAMES TILE_WIDTH TILE_HEIGHT OVERLAP...
// CLIP_FILE: raw RGB, 8 bit, of WIDTH x HEIGHT; -: black frames, in tiles only and not compared,
// for sizes that do not fit otherwise.
#include "fused/device.hpp"
#include "fused/tiles.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/model/tiling.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace vsr;
using namespace vsr::model;
using fused::Engine;

using Picture = std::vector<float>;

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// Planar, 0..1, one after another.
std::vector<float> read_clip(const char* path, int frames, int width, int height) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t pixels = to_size(std::int64_t{width} * height);
  if (bytes.size() < to_size(frames) * 3 * pixels) {
    throw Error(ErrorCode::kInput, "the clip is too short");
  }
  std::vector<float> made;
  for (std::size_t t = 0; t < to_size(frames); ++t) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < pixels; ++i) {
        const auto value = static_cast<unsigned char>(bytes[(t * pixels + i) * 3 + c]);
        made.push_back(static_cast<float>(value) / 255.0f);
      }
    }
  }
  return made;
}

// Of squared errors of values in 0..1.
struct Error2 {
  double sum = 0;
  double count = 0;

  void add(double error) {
    sum += error * error;
    ++count;
  }

  void add(const Error2& other) {
    sum += other.sum;
    count += other.count;
  }

  double db() const { return sum == 0 ? 999 : 10 * std::log10(count / sum); }
};

// Where a sample of an axis lies.
struct Zone {
  bool shared = false;  // by two tiles
  bool seam = false;    // within 4 pixels of the network's size of the middle of what they share
  bool middle = false;  // the first sample behind that middle
};

std::vector<Zone> zones(const TileAxis& axis, int scale) {
  std::vector<Zone> made(to_size(std::int64_t{axis.length()} * scale));
  for (int i = 1; i < axis.count(); ++i) {
    const int begin = axis.begin(i) * scale;
    const int end = (axis.begin(i - 1) + axis.tile()) * scale;
    const int middle = (begin + end) / 2;
    for (int x = begin; x < end; ++x) made[to_size(x)].shared = true;
    for (int x = middle - 4 * scale; x < middle + 4 * scale; ++x) made[to_size(x)].seam = true;
    made[to_size(middle)].middle = true;
  }
  return made;
}

struct Comparison {
  Error2 all;
  Error2 inside;  // one tile's alone
  Error2 shared;
  Error2 seam;
  Error2 step;  // how much the error changes from one side of a seam to the other
  double worst_frame_db = 999;
  double most = 0;

  void add(const Comparison& other) {
    all.add(other.all);
    inside.add(other.inside);
    shared.add(other.shared);
    seam.add(other.seam);
    step.add(other.step);
    worst_frame_db = std::min(worst_frame_db, other.all.db());
    most = std::max(most, other.most);
  }
};

Comparison compare(const Picture& a, const Picture& b, const Tiling& tiling, int scale) {
  const auto across = zones(tiling.across, scale);
  const auto down = zones(tiling.down, scale);
  const std::size_t width = across.size();
  Comparison made;
  const auto error_at = [&](std::size_t i) {
    return static_cast<double>(std::clamp(a[i], 0.0f, 1.0f) - std::clamp(b[i], 0.0f, 1.0f));
  };
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < down.size(); ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        const std::size_t i = (c * down.size() + y) * width + x;
        const double error = error_at(i);
        made.all.add(error);
        made.most = std::max(made.most, std::abs(error));
        if (across[x].shared || down[y].shared) {
          made.shared.add(error);
        } else {
          made.inside.add(error);
        }
        if (across[x].seam || down[y].seam) made.seam.add(error);
        if (across[x].middle) made.step.add(error - error_at(i - 1));
        if (down[y].middle) made.step.add(error - error_at(i - width));
      }
    }
  }
  return made;
}

Comparison compare(const std::vector<Picture>& a,
                   const std::vector<Picture>& b,
                   const Tiling& tiling,
                   int scale) {
  std::vector<Comparison> by_frame(a.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < a.size(); ++t) {
    threads.emplace_back([&, t] { by_frame[t] = compare(a[t], b[t], tiling, scale); });
  }
  for (std::thread& thread : threads) thread.join();
  Comparison made;
  for (const Comparison& frame : by_frame) made.add(frame);
  return made;
}

double mib(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class Bench {
 public:
  Bench(const Checkpoint& checkpoint, int frames, int width, int height)
      : checkpoint_(checkpoint),
        stream_(0),
        compute_(fused::make_compute(Precision::kFp16, stream_.view())),
        frames_(frames),
        width_(width),
        height_(height),
        input_(to_size(std::int64_t{3} * frames * width * height) * sizeof(float), 0),
        flag_(sizeof(int), 0) {
    gpu::clear_async(input_.data(), input_.size(), stream_.view());
    gpu::clear_async(flag_.data(), sizeof(int), stream_.view());
    for (int t = 0; t < frames; ++t) {
      window_.push_back(static_cast<const float*>(input_.data()) +
                        std::int64_t{3} * width * height * t);
    }
  }

  void take(const std::vector<float>& clip) {
    gpu::copy_bytes_async(clip.data(), input_.data(), input_.size(), stream_.view());
    stream_.wait();
  }

  // Pictures, if they are wanted; prints time and memory.
  std::vector<Picture> whole(bool keep) {
    const auto before = free_bytes();
    Engine engine(checkpoint_, compute_);
    const auto weights = before - free_bytes();
    std::vector<Picture> pictures;
    const auto run = [&](const Engine::Deliver& deliver) {
      engine.run(window_, {height_, width_}, {0, frames_}, false, deliver);
    };
    time("whole", run, before - weights, [&] {
      return Engine::window_bytes(checkpoint_.shape(), compute_, {height_, width_}, frames_);
    });
    if (keep) run([&](std::int64_t, const float* picture) { pictures.push_back(host(picture)); });
    return pictures;
  }

  std::vector<Picture> in_tiles(const Tiling& tiling, bool keep) {
    const auto before = free_bytes();
    Engine engine(checkpoint_, compute_);
    fused::TiledEngine tiled(engine, compute_, tiling);
    const auto weights = before - free_bytes();
    std::vector<Picture> pictures;
    const auto run = [&](const Engine::Deliver& deliver) {
      tiled.run(window_, {0, frames_}, static_cast<int*>(flag_.data()), deliver);
    };
    time("tiles", run, before - weights, [&] {
      return fused::TiledEngine::window_bytes(checkpoint_.shape(), compute_, tiling, frames_);
    });
    if (keep) run([&](std::int64_t, const float* picture) { pictures.push_back(host(picture)); });
    return pictures;
  }

 private:
  static std::size_t free_bytes() { return gpu::memory_info(0).free_bytes; }

  template <typename Run, typename Predict>
  void time(const char* name, const Run& run, std::size_t free_before, const Predict& predict) {
    const auto nothing = [](std::int64_t, const float*) {};
    run(nothing);  // memory, modules
    stream_.wait();
    const auto taken = free_before - free_bytes();
    const auto start = std::chrono::steady_clock::now();
    run(nothing);
    stream_.wait();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%s: %.2f ms/frame; memory %.0f MiB, predicted %.0f MiB\n",
                name,
                1e3 * seconds / frames_,
                mib(taken),
                mib(predict()));
    std::fflush(stdout);
  }

  Picture host(const float* picture) {
    const int scale = checkpoint_.shape().scale();
    Picture made(to_size(std::int64_t{3} * width_ * height_ * scale * scale));
    gpu::copy_bytes_async(picture, made.data(), made.size() * sizeof(float), stream_.view());
    stream_.wait();
    return made;
  }

  const Checkpoint& checkpoint_;
  gpu::Stream stream_;
  fused::Compute compute_;
  int frames_;
  int width_;
  int height_;
  gpu::DeviceBuffer input_;
  gpu::DeviceBuffer flag_;
  std::vector<const float*> window_;
};

int bench(int argc, char** argv) {
  const auto checkpoint = Checkpoint::read(argv[1]);
  const std::string clip = argv[2];
  const int width = std::atoi(argv[3]);
  const int height = std::atoi(argv[4]);
  const int frames = std::atoi(argv[5]);
  const bool pictures = clip != "-";
  Bench bench(checkpoint, frames, width, height);
  std::vector<Picture> expected;
  if (pictures) {
    bench.take(read_clip(clip.c_str(), frames, width, height));
    expected = bench.whole(true);
  }
  const PictureFormat format{width, height, ColourModel::kRgb};
  for (int i = 8; i < argc; ++i) {
    const Tiling tiling = tiling_of(
        checkpoint.shape(),
        format,
        {.width = std::atoi(argv[6]), .height = std::atoi(argv[7]), .overlap = std::atoi(argv[i])});
    std::printf("%dx%d, %d frames in %d x %d tiles of %dx%d, overlap %s, work %.3f\n",
                width,
                height,
                frames,
                tiling.across.count(),
                tiling.down.count(),
                tiling.across.tile(),
                tiling.down.tile(),
                argv[i],
                tiling.work());
    const auto got = bench.in_tiles(tiling, pictures);
    if (!pictures) continue;
    const Comparison c = compare(got, expected, tiling, checkpoint.shape().scale());
    std::printf(
        "  dB: all %.2f, worst frame %.2f, inside %.2f, shared %.2f, seam %.2f, step %.2f; "
        "most %.4f\n",
        c.all.db(),
        c.worst_frame_db,
        c.inside.db(),
        c.shared.db(),
        c.seam.db(),
        c.step.db(),
        c.most);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 9) {
    std::fprintf(stderr,
                 "tile_bench CHECKPOINT CLIP_FILE|- WIDTH HEIGHT FRAMES TILE_WIDTH TILE_HEIGHT "
                 "OVERLAP...\n");
    return 2;
  }
  try {
    return bench(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "tile_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
