// The fused network: as fast as it goes, then by part and by kernel, which are watched and so a
// little slower.
#include "ceilings.hpp"
#include "clip.hpp"
#include "device_timer.hpp"
#include "launch_work.hpp"
#include "network_run.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "vsr/base/format.hpp"
#include "vsr/model/cost.hpp"

#include <algorithm>
#include <utility>

namespace vsr::bench {

namespace {

constexpr double kMib = 1 << 20;

// What is measured between one mark and the next.
struct Span {
  std::string part;
  Work work;  // where launches are marked
  double ms = 0;
};

class Watcher : public model::fused::Observer {
 public:
  enum class Marks { kParts, kLaunches };

  Watcher(gpu::StreamView stream, Marks marks) : watch_(stream), marks_(marks) {}

  void begin_part(const char* name) override {
    part_ = name;
    if (marks_ == Marks::kParts) mark({});
  }

  void launch(const model::fused::Launch& launch) override {
    if (marks_ == Marks::kLaunches) mark(work_of(launch));
  }

  // All of one window, in order.
  std::vector<Span> spans_of(const NetworkRun& run) {
    watch_.reset();
    spans_.clear();
    run.run(*this, [&] { watch_.mark(); });
    for (std::size_t i = 0; i < spans_.size(); ++i) spans_[i].ms = watch_.ms(i, i + 1);
    return std::move(spans_);
  }

 private:
  void mark(Work work) {
    watch_.mark();
    spans_.push_back({part_, std::move(work)});
  }

  Stopwatch watch_;
  Marks marks_;
  std::string part_;
  std::vector<Span> spans_;
};

// Launches of one part that are alike.
struct Row {
  std::string part;
  std::string kernel;
  double calls = 0;
  double ms = 0;
  double flop = 0;
  double bytes = 0;
  double bound_ms = 0;
};

// In the order of their first appearance, part by part.
Row& row_of(std::vector<Row>& rows, const std::string& part, const std::string& kernel) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.part == part && row.kernel == kernel;
  });
  if (found != rows.end()) return *found;
  const auto last =
      std::find_if(rows.rbegin(), rows.rend(), [&](const Row& row) { return row.part == part; });
  const auto place = last == rows.rend() ? rows.end() : last.base();
  return *rows.insert(place, {.part = part, .kernel = kernel});
}

NetworkWork network_work(Arguments& words) {
  NetworkWork work;
  work.width = words.number("WIDTH", work.width);
  work.height = words.number("HEIGHT", work.height);
  work.frames = words.number("FRAMES", work.frames);
  work.precision = words.precision(work.precision);
  work.film = words.text("FILM", shipped_clip());
  return work;
}

double frame_gflop(const model::Checkpoint& checkpoint, const NetworkWork& work) {
  return model::network_gflop(checkpoint.shape(), {.width = work.width, .height = work.height});
}

void print_layers(const std::vector<Span>& spans, const Ceilings& ceilings, int frames) {
  std::vector<Row> rows;
  Row all{.part = "all"};
  for (const Span& span : spans) {
    const double bound_ms = std::max(span.work.flop / ceilings.product_tflop_s / 1e9,
                                     span.work.bytes / ceilings.copy_gb_s / 1e6);
    for (Row* row : {&row_of(rows, span.part, span.work.kernel), &all}) {
      row->calls += 1;
      row->ms += span.ms;
      row->flop += span.work.flop;
      row->bytes += span.work.bytes;
      row->bound_ms += bound_ms;
    }
  }
  rows.push_back(all);
  Table table({"part",
               "kernel",
               "calls a frame",
               "us a call",
               "ms a frame",
               "TFLOP/s",
               "GB/s",
               "bound, ms a frame",
               "share of the bound"});
  for (const Row& row : rows) {
    table.row({row.part,
               row.kernel,
               format("{:.2f}", row.calls / frames),
               format("{:.1f}", 1e3 * row.ms / row.calls),
               format("{:.3f}", row.ms / frames),
               row.flop > 0 ? format("{:.0f}", row.flop / row.ms / 1e9) : "",
               format("{:.0f}", row.bytes / row.ms / 1e6),
               format("{:.3f}", row.bound_ms / frames),
               format("{:.0f}%", 100 * row.bound_ms / row.ms)});
  }
  table.print();
}

}  // namespace

void bench_network(Arguments& words) {
  const auto checkpoint = model::Checkpoint::read(words.text("CHECKPOINT"));
  NetworkWork work = network_work(words);
  const int rounds = words.number("ROUNDS", 4);
  work.host_features = words.choice("FEATURES", {"device", "host"}) == "host";
  words.end();
  const Ceilings ceilings = measure_ceilings();
  print_ceilings(ceilings);

  const NetworkRun run(checkpoint, work);
  Table table({"network",
               "size",
               "T",
               "queued by",
               "frames/s",
               "ms a frame",
               "host, ms a frame",
               "TFLOP/s",
               "share of the product",
               "MiB",
               "predicted MiB"});
  const auto print = [&](NetworkRun::Queued queued, const char* by) {
    const NetworkRun::Rate rate = run.rate(rounds, queued);
    const double tflop_s = frame_gflop(checkpoint, work) * rate.frames_per_s / 1e3;
    table.row({format("{} {}", checkpoint.describe(), to_string(work.precision)),
               format("{}x{}", work.width, work.height),
               format("{}", work.frames),
               by,
               format("{:.2f}", rate.frames_per_s),
               format("{:.2f}", 1e3 / rate.frames_per_s),
               format("{:.2f}", rate.host_ms),
               format("{:.0f}", tflop_s),
               format("{:.0f}%", 100 * tflop_s / ceilings.product_tflop_s),
               format("{:.0f}", static_cast<double>(run.memory_bytes()) / kMib),
               format("{:.0f}", static_cast<double>(run.predicted_bytes()) / kMib)});
  };
  print(NetworkRun::Queued::kKernels, "kernel");
  print(NetworkRun::Queued::kGraphs, "graph");
  table.print();
  if (work.host_features) {
    print_line(format("features in {:.0f} MiB of pinned host memory",
                      static_cast<double>(run.host_bytes()) / kMib));
  }

  Watcher watcher(run.stream(), Watcher::Marks::kParts);
  std::vector<Row> rows;
  Row all{.part = "all"};
  for (const Span& span : watcher.spans_of(run)) {
    row_of(rows, span.part, "").ms += span.ms;
    all.ms += span.ms;
  }
  rows.push_back(all);
  Table parts({"part", "ms a frame", "share"});
  for (const Row& row : rows) {
    parts.row({row.part,
               format("{:.3f}", row.ms / work.frames),
               format("{:.0f}%", 100 * row.ms / all.ms)});
  }
  parts.print();
}

void bench_layers(Arguments& words) {
  constexpr int kRounds = 3;
  const auto checkpoint = model::Checkpoint::read(words.text("CHECKPOINT"));
  const NetworkWork work = network_work(words);
  words.end();
  const Ceilings ceilings = measure_ceilings();
  print_ceilings(ceilings);

  const NetworkRun run(checkpoint, work);
  const double frames_per_s = run.rate(kRounds).frames_per_s;
  Watcher watcher(run.stream(), Watcher::Marks::kLaunches);
  std::vector<Span> spans;
  double gflop = 0;
  for (int i = 0; i < kRounds; ++i) {
    for (Span& span : watcher.spans_of(run)) {
      gflop += span.work.flop / 1e9;
      spans.push_back(std::move(span));
    }
  }
  const int frames = kRounds * work.frames;
  print_line(
      format("{} {}, {}x{}, T = {}: {:.2f} ms a frame unwatched; {:.0f} GFLOP a frame "
             "counted by launch, {:.0f} by the network's shape",
             checkpoint.describe(),
             to_string(work.precision),
             work.width,
             work.height,
             work.frames,
             1e3 / frames_per_s,
             gflop / frames,
             frame_gflop(checkpoint, work)));
  print_layers(spans, ceilings, frames);
}

}  // namespace vsr::bench
