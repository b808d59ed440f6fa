// What tiles cost: the network's pictures in tiles beside the same pictures whole, by time, memory
// and what differs.
#include "clip.hpp"
#include "device_timer.hpp"
#include "network_run.hpp"
#include "seam_errors.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/model/tiling.hpp"

#include <optional>
#include <vector>

namespace vsr::bench {

namespace {

constexpr int kRounds = 2;
constexpr double kMib = 1 << 20;

struct TilesWork {
  NetworkWork whole;
  TileSize most;  // but for the overlap
  std::vector<int> overlaps;
  bool alone = false;
};

TilesWork tiles_work(Arguments& words) {
  TilesWork work;
  work.whole.width = words.number("WIDTH", work.whole.width);
  work.whole.height = words.number("HEIGHT", work.whole.height);
  work.whole.frames = words.number("FRAMES", 21);
  work.most.width = words.number("TILE_WIDTH", 544);
  work.most.height = words.number("TILE_HEIGHT", 248);
  work.overlaps = words.numbers("OVERLAPS", {8, 16, 32, 64}, 0);
  const std::string how = words.text("HOW", "compare");
  if (how != "compare" && how != "alone") {
    throw Error(ErrorCode::kUsage, format("tiles: '{}' is neither compare nor alone", how));
  }
  work.alone = how == "alone";
  work.whole.film = words.text("FILM", shipped_clip());
  words.end();
  return work;
}

std::string db(const SquaredErrors& errors) {
  const std::optional<double> psnr = errors.psnr_db();
  return psnr ? format("{:.1f}", *psnr) : errors.count > 0 ? "equal" : "";
}

void add_row(Table& table,
             const NetworkRun& run,
             const std::string& how,
             const std::string& overlap,
             const std::string& computed,
             const std::optional<SeamErrors>& errors) {
  table.row({how,
             overlap,
             computed,
             format("{:.2f}", 1e3 / run.rate(kRounds).frames_per_s),
             errors ? db(errors->all) : "",
             errors ? db(errors->worst_frame) : "",
             errors ? db(errors->seam) : "",
             errors ? db(errors->step) : "",
             format("{:.0f}", static_cast<double>(run.memory_bytes()) / kMib),
             format("{:.0f}", static_cast<double>(run.predicted_bytes()) / kMib)});
}

}  // namespace

void bench_tiles(Arguments& words) {
  const auto checkpoint = model::Checkpoint::read(words.text("CHECKPOINT"));
  const TilesWork work = tiles_work(words);
  const PictureFormat picture{work.whole.width, work.whole.height, ColourModel::kRgb};
  // All of them before the first is run.
  std::vector<Tiling> tilings;
  for (const int overlap : work.overlaps) {
    TileSize tile = work.most;
    tile.overlap = overlap;
    tilings.push_back(model::tiling_of(checkpoint.shape(), picture, tile));
  }
  require_gpu();
  print_line(gpu_name());
  print_line(format("{} {}, {}x{}, T = {}",
                    checkpoint.describe(),
                    to_string(work.whole.precision),
                    work.whole.width,
                    work.whole.height,
                    work.whole.frames));

  Table table({"tiles",
               "overlap",
               "work",
               "ms a frame",
               "all dB",
               "worst frame",
               "seam",
               "step",
               "MiB",
               "predicted MiB"});
  std::vector<Picture> expected;
  if (!work.alone) {
    try {
      const NetworkRun run(checkpoint, work.whole);
      add_row(table, run, "whole", "", "1.00", std::nullopt);
      expected = run.pictures();
    } catch (const OutOfMemory& error) {
      throw OutOfMemory(format("{}; measure tiles 'alone'", error.what()));
    }
  }
  for (std::size_t i = 0; i < tilings.size(); ++i) {
    const Tiling& tiling = tilings[i];
    NetworkWork in_tiles = work.whole;
    in_tiles.tiling = tiling;
    const NetworkRun run(checkpoint, in_tiles);
    std::optional<SeamErrors> errors;
    if (!work.alone) {
      errors = seam_errors(run.pictures(), expected, tiling, checkpoint.shape().scale());
    }
    add_row(table,
            run,
            format("{} x {} of {}x{}",
                   tiling.across.count(),
                   tiling.down.count(),
                   tiling.across.tile(),
                   tiling.down.tile()),
            format("{}", work.overlaps[i]),
            format("{:.2f}", tiling.work()),
            errors);
  }
  table.print();
}

}  // namespace vsr::bench
