#include "vsr/status/terminal.hpp"

#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace vsr::status {

namespace {

constexpr int kLeastWidth = 20;
constexpr int kMostBar = 60;
constexpr int kHostColumns = 16;

// The film is encoded in one piece when all is upscaled: that is counted by itself.
bool encodes_in_one(const RunStatus& run) { return run.state == "joining" && !run.in_chunks; }

// What is asked of the run: pictures of both stages, where they go on together.
double part_done(const RunStatus& run) {
  if (run.state == "done") return 1;
  if (run.frames_total <= 0) return 0;
  if (encodes_in_one(run)) {
    return static_cast<double>(run.frames_encoded) / static_cast<double>(run.frames_total);
  }
  const auto total = static_cast<double>(run.frames_total);
  const double upscaled = static_cast<double>(run.frames_upscaled) / total;
  return run.in_chunks ? (upscaled + static_cast<double>(run.frames_encoded) / total) / 2
                       : upscaled;
}

// 100% is said of what is over alone.
std::string percent(const RunStatus& run) {
  return format("{:.1f}%", run.state == "done" ? 100.0 : std::min(99.9, 100 * part_done(run)));
}

// --- Colours -------------------------------------------------------------------------------------

constexpr const char* kBold = "1";
constexpr const char* kRed = "31;1";
constexpr const char* kYellow = "33;1";
constexpr const char* kGreen = "32";
constexpr const char* kDim = "2";

// Pieces of a line with their colours; cut as a whole.
class Line {
 public:
  explicit Line(const TerminalStyle& style) : style_(&style) {}

  Line& add(const std::string& text, const char* colour = nullptr) {
    const int room = style_->width - used_;
    if (room <= 0 || text.empty()) return *this;
    const std::string shown = cut_to(text, room, style_->utf8);
    used_ += columns_of(shown);
    const bool coloured = colour != nullptr && style_->colour;
    line_ += coloured ? format("\x1b[{}m{}\x1b[0m", colour, shown) : shown;
    return *this;
  }

  // With two spaces before it, if all of it fits.
  Line& add_whole(const std::string& text, const char* colour = nullptr) {
    const int wanted = columns_of(text) + (used_ > 0 ? 2 : 0);
    if (text.empty() || used_ + wanted > style_->width) return *this;
    if (used_ > 0) add("  ");
    return add(text, colour);
  }

  int room() const { return style_->width - used_; }

  bool empty() const { return used_ == 0; }

  std::string text() const { return line_; }

 private:
  const TerminalStyle* style_;
  std::string line_;
  int used_ = 0;
};

const char* colour_of_state(const std::string& state) {
  if (state == "failed" || state == "silent") return kRed;
  if (state == "paused" || state == "interrupted" || state == "left") return kYellow;
  if (state == "done") return kGreen;
  return kBold;
}

// --- The whole run -------------------------------------------------------------------------------

// What is encoded, what is only upscaled, what is left.
std::string bar(const RunStatus& run, int columns, bool utf8) {
  const auto total = static_cast<double>(std::max<std::int64_t>(1, run.frames_total));
  const auto cells = [&](std::int64_t frames) {
    return std::clamp(static_cast<int>(static_cast<double>(frames) / total * columns), 0, columns);
  };
  const int upscaled = run.state == "done" ? columns : cells(run.frames_upscaled);
  const bool encodes = run.state != "done" && (run.in_chunks || encodes_in_one(run));
  const int whole = encodes ? cells(run.frames_encoded) : upscaled;
  std::string text;
  for (int i = 0; i < columns; ++i) {
    if (i < whole) {
      text += utf8 ? "\u2588" : "#";
    } else if (i < upscaled) {
      text += utf8 ? "\u2593" : "=";
    } else {
      text += utf8 ? "\u2591" : ".";
    }
  }
  return text;
}

std::string first_line(const RunStatus& run, const TerminalStyle& style) {
  const std::string film = printable(run.film);
  const std::string part = percent(run);
  std::string left;
  if (run.left_s > 0) left = format("{} left", duration_text(run.left_s));
  if (run.state == "done") left = format("in {}", duration_text(run.elapsed_s));
  Line line(style);
  line.add(cut_to(film, std::max(8, style.width / 4), style.utf8), kBold);
  line.add(" ").add(run.state, colour_of_state(run.state)).add(" ");
  const int others = columns_of(part) + columns_of(left) + 4;
  const int columns = std::min(kMostBar, line.room() - others);
  if (columns >= 8) line.add(bar(run, columns, style.utf8), kGreen).add(" ");
  line.add(part, kBold).add_whole(left);
  return line.text();
}

// Of what is over there is no "now".
std::string rates_text(const RunStatus& run, double now, double mean) {
  const bool over = is_over(run) || now < 0;
  if (over && mean < 0) return "";
  if (over) return format("{} fps", rate_text(mean));
  if (mean < 0) return format("{} fps", rate_text(now));
  return format("{} fps (mean {})", rate_text(now), rate_text(mean));
}

std::string upscaled_text(const RunStatus& run) {
  const std::string rates = rates_text(run, run.upscale_fps, run.upscale_fps_mean);
  return format("upscaled {} of {} frames{}{}",
                run.frames_upscaled,
                run.frames_total,
                rates.empty() ? "" : ", ",
                rates);
}

// Of chunks, or of the film where that is made in one piece.
std::string encoded_text(const RunStatus& run) {
  if (!run.in_chunks && !encodes_in_one(run)) return "";
  const std::string rates = rates_text(run, run.encode_fps, run.encode_fps_mean);
  return format("encoded {}{}{}", run.frames_encoded, rates.empty() ? "" : ", ", rates);
}

std::string segments_text(const RunStatus& run) {
  std::string text = format("{} of {} segments", run.segments_upscaled, run.segments_total);
  if (run.in_chunks) text += format(", {} chunks", run.segments_encoded);
  return text;
}

// Of a run whose time left nobody knows yet: what is known, and when more will be.
std::string not_yet_known_text(const RunStatus& run) {
  if (run.state != "working" || run.left_s >= 0) return "";
  if (!run.message.empty()) return "";  // which says what there is to wait for
  if (run.in_chunks) return "time left: known soon";
  if (run.upscale_fps_mean <= 0) return "time left: known after the first frames";
  const auto frames = static_cast<double>(run.frames_total - run.frames_upscaled);
  return format("{} of upscaling left, then the encode",
                duration_text(frames / run.upscale_fps_mean));
}

std::string limited_text(const RunStatus& run) {
  return run.limit.empty() ? "" : "limited " + printable(run.limit);
}

std::string quality_text(const RunStatus& run) {
  if (run.frames_measured == 0) return "";
  return format("back-projection {:.1f} dB, lowest {:.1f} at frame {}",
                run.quality_db,
                run.worst_db,
                run.worst_frame);
}

std::string disk_text(const RunStatus& run) {
  std::string text = format("{} written", size_text(run.bytes_written));
  if (run.bytes_free >= 0) text += format(", {} free", size_text(run.bytes_free));
  return text;
}

// --- Ranks ---------------------------------------------------------------------------------------

std::string work_text(const WorkStatus& work) {
  std::string text = format("{} {}", work.kind, work.segment);
  if (work.attempt > 1) text += format(" (attempt {})", work.attempt);
  text += format(" {}/{}", work.frame, work.frames);
  if (work.window >= 0 && work.windows > 0) {
    text += format(" window {}/{}", work.window + 1, work.windows);
  }
  return text;
}

// The segment that the network is at first; then how many chunks there are.
std::string work_of(const RankStatus& rank) {
  const WorkStatus* upscaled = nullptr;
  const WorkStatus* chunk = nullptr;
  int chunks = 0;
  for (const WorkStatus& work : rank.work) {
    const bool is_chunk = work.kind == "chunk";
    chunks += is_chunk ? 1 : 0;
    if (is_chunk && chunk == nullptr) chunk = &work;
    if (!is_chunk && (upscaled == nullptr || work.window >= 0)) upscaled = &work;
  }
  std::string text = upscaled == nullptr ? "" : work_text(*upscaled);
  if (chunks == 0) return text;
  text += text.empty() ? "" : ", ";
  if (chunks == 1) return text + work_text(*chunk);
  return text + format("{} chunks", chunks);
}

std::string gpu_text(const RankStatus& rank) {
  if (!rank.gpu) return "";
  std::string text = "GPU";
  if (rank.gpu->load >= 0) text += format(" {:.0f}%", 100 * rank.gpu->load);
  if (rank.gpu->memory_used >= 0) {
    text += format(" {:.0f}/{:.0f} GB", rank.gpu->memory_used / 1e9, rank.gpu->memory / 1e9);
  }
  return text == "GPU" ? "" : text;
}

std::string cpu_text(const RankStatus& rank) {
  return rank.cpu_load < 0 ? "" : format("CPU {:.1f}/{}", rank.cpu_load, rank.cpus);
}

std::string queues_text(const RankStatus& rank) {
  std::string text;
  for (const QueueStatus& queue : rank.queues) {
    text += format(
        "{}{} {}/{}", text.empty() ? "" : " ", printable(queue.name), queue.used, queue.size);
  }
  return text;
}

std::string limit_text(const RankStatus& rank) {
  return rank.limit.empty() ? "" : "limit: " + printable(rank.limit);
}

std::string state_text(const RankStatus& rank) {
  if (rank.state == "silent") return format("silent for {}", duration_text(rank.silent_s));
  return rank.state == "working" ? "" : printable(rank.state);
}

std::string rank_line(const RankStatus& rank, const TerminalStyle& style, int digits) {
  Line line(style);
  line.add(format("{:>{}} ", rank.rank, digits + 1), kBold);
  const std::string host =
      cut_to(printable(rank.host), std::min(kHostColumns, style.width / 5), style.utf8);
  line.add(host, kDim);
  line.add_whole(state_text(rank), colour_of_state(rank.state));
  constexpr int kOfUse = 12;  // columns
  const bool works = rank.state == "working" || rank.state == "silent";
  if (works && line.room() >= kOfUse) line.add("  ").add(work_of(rank));
  if (rank.fps >= 0) line.add_whole(format("{} fps", rate_text(rank.fps)));
  line.add_whole(gpu_text(rank)).add_whole(cpu_text(rank));
  line.add_whole(limit_text(rank), kDim).add_whole(queues_text(rank), kDim);
  return line.text();
}

// The lower the earlier: who is lost, who works, who does not.
int order_of(const RankStatus& rank) {
  if (rank.state == "silent") return 0;
  if (rank.state == "left") return 1;
  const bool again = std::any_of(
      rank.work.begin(), rank.work.end(), [](const auto& work) { return work.attempt > 1; });
  if (again) return 2;
  return rank.state == "working" ? 3 : 4;
}

std::string more_text(const std::vector<const RankStatus*>& ranks, std::size_t from) {
  std::map<std::string, int> states;
  for (std::size_t i = from; i < ranks.size(); ++i) ++states[ranks[i]->state];
  std::string text = format("and {} more", ranks.size() - from);
  std::string list;
  for (const auto& [state, count] : states) {
    list += format("{}{} {}", list.empty() ? ": " : ", ", count, printable(state));
  }
  return text + list;
}

}  // namespace

std::vector<std::string> terminal_lines(const RunStatus& run, const TerminalStyle& wanted) {
  TerminalStyle style = wanted;
  style.width = std::max(kLeastWidth, style.width);
  const auto most = static_cast<std::size_t>(std::max(2, style.height - 1));
  std::vector<std::string> lines = {first_line(run, style)};
  const auto add = [&](const Line& line) {
    if (!line.empty() && lines.size() < most) lines.push_back(line.text());
  };
  // What does not fit beside the rest has a line of its own.
  const auto add_all = [&](const std::vector<std::string>& texts) {
    Line line(style);
    for (const std::string& text : texts) {
      if (text.empty()) continue;
      if (!line.empty() && columns_of(text) + 2 > line.room()) {
        add(line);
        line = Line(style);
      }
      if (!line.empty()) line.add("  ");
      line.add(line.empty() ? " " + text : text);
    }
    add(line);
  };
  if (!run.message.empty()) {
    add(Line(style).add(" ").add(printable(run.message), colour_of_state(run.state)));
  }
  add_all({upscaled_text(run),
           encoded_text(run),
           segments_text(run),
           not_yet_known_text(run),
           limited_text(run)});
  add_all({quality_text(run), disk_text(run)});
  std::vector<const RankStatus*> ranks;
  int digits = 1;
  for (const RankStatus& rank : run.ranks) {
    ranks.push_back(&rank);
    digits = std::max(digits, static_cast<int>(std::to_string(rank.rank).size()));
  }
  const std::size_t room = most > lines.size() ? most - lines.size() : 0;
  const bool all = ranks.size() <= room;
  if (!all) {
    std::stable_sort(ranks.begin(), ranks.end(), [](const RankStatus* a, const RankStatus* b) {
      return order_of(*a) < order_of(*b);
    });
  }
  const std::size_t shown = all ? ranks.size() : room - std::min<std::size_t>(room, 1);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(rank_line(*ranks[i], style, digits));
  if (!all && room > 0) add(Line(style).add("  ").add(more_text(ranks, shown), kDim));
  return lines;
}

std::string progress_line(const RunStatus& run) {
  std::string text = format("{}, {}: {}", run.state, percent(run), upscaled_text(run));
  const auto add = [&](const std::string& more) {
    if (!more.empty()) text += "; " + more;
  };
  add(encoded_text(run));
  if (run.left_s > 0) add(format("about {} left", duration_text(run.left_s)));
  add(not_yet_known_text(run));
  add(limited_text(run));
  constexpr std::size_t kFew = 8;
  std::size_t working = 0;
  for (const RankStatus& rank : run.ranks) {
    const bool odd = rank.state == "silent" || rank.state == "left";
    if (rank.state == "working") ++working;
    if (odd) add(format("rank {} {}", rank.rank, state_text(rank)));
    if (odd || run.ranks.size() > kFew || rank.work.empty()) continue;
    add(format("rank {}: {}", rank.rank, work_of(rank)));
  }
  if (run.ranks.size() > kFew) add(format("{} of {} ranks work", working, run.ranks.size()));
  return text;
}

std::string closing_line(const RunStatus& run) {
  std::string text = format("{} frames in {}", run.frames_total, duration_text(run.elapsed_s));
  if (run.upscale_fps_mean > 0) {
    text += format(", {} fps upscaled", rate_text(run.upscale_fps_mean));
  }
  if (run.frames_measured > 0) text += "; " + quality_text(run);
  const auto notices = run.notices.size();
  return notices == 0 ? text : text + format("; warnings: {}", notices);
}

}  // namespace vsr::status
