#include "report_starts.hpp"

#include "report_text.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace vsr::status {

namespace {

// Times are of whole seconds, and hosts' clocks not quite the same.
constexpr double kRounding_s = 1;
constexpr double kClocks_s = 2;
constexpr double kNever = std::numeric_limits<double>::infinity();

bool has_rank(const store::StartFile& start, const std::string& host, int rank) {
  return std::ranges::any_of(start.ranks, [&](const store::StartRank& one) {
    return one.rank == rank && one.host == host;
  });
}

bool has_host(const store::StartFile& start, const std::string& host) {
  return std::ranges::find(start.ranks, host, &store::StartRank::host) != start.ranks.end();
}

// Until when a start can have made anything. One that left no end was killed before another began
// where it was, if it was not seen since.
double latest_end(const store::RunLedger& run, const store::StartFile& start) {
  if (const auto ended = seconds_of(start.ended)) return *ended;
  const double seen = seconds_of(start.seen).value_or(0);
  double end = kNever;
  for (const auto& [name, other] : run.starts) {
    const double begun = seconds_of(other.begun).value_or(0);
    if (begun > seen && has_host(other, start.host)) end = std::min(end, begun);
  }
  return end;
}

}  // namespace

std::vector<int> makers_of(const store::RunLedger& run, const store::LedgerPieces& records) {
  std::vector<std::pair<double, double>> spans;
  for (const auto& [name, start] : run.starts) {
    spans.emplace_back(seconds_of(start.begun).value_or(kNever), latest_end(run, start));
  }
  std::vector<std::pair<double, std::size_t>> by_begin;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) continue;
    if (const auto begun = seconds_of(records[i]->started)) by_begin.emplace_back(*begun, i);
  }
  std::ranges::sort(by_begin);
  std::vector<int> makers(records.size(), -1);
  std::map<std::pair<int, int>, double> busy_until;  // by start and rank
  for (const auto& [begun, i] : by_begin) {
    const store::LedgerPiece& piece = *records[i];
    const double end = begun + piece.wall_s;
    double least_wait = kNever;
    for (std::size_t s = 0; s < spans.size(); ++s) {
      const store::StartFile& start = run.starts[s].second;
      const double clocks = piece.host == start.host ? 0 : kClocks_s;
      if (begun < spans[s].first - clocks) continue;
      if (end > spans[s].second + kRounding_s + clocks) continue;
      if (!has_rank(start, piece.host, piece.rank)) continue;
      const auto busy = busy_until.find({static_cast<int>(s), piece.rank});
      const double wait =
          busy == busy_until.end() ? 0 : std::max(0.0, busy->second - begun - kRounding_s);
      if (wait > least_wait) continue;
      least_wait = wait;
      makers[i] = static_cast<int>(s);
    }
    if (makers[i] < 0) continue;
    double& busy = busy_until[{makers[i], piece.rank}];
    busy = std::max(busy, end);
  }
  return makers;
}

std::vector<AtWork> starts_at_work(const store::RunLedger& run) {
  std::vector<AtWork> all;
  for (const auto& [name, start] : run.starts) {
    const std::string& last = start.ended.empty() ? start.seen : start.ended;
    const double begin = seconds_of(start.begun).value_or(0);
    all.push_back({begin, std::max(begin, seconds_of(last).value_or(begin)), last, false});
  }
  // What it committed it was at work on, even where it was killed before it said so.
  for (const auto* records : {&run.segments, &run.chunks}) {
    const std::vector<int> makers = makers_of(run, *records);
    for (std::size_t i = 0; i < makers.size(); ++i) {
      if (makers[i] < 0) continue;
      const auto s = static_cast<std::size_t>(makers[i]);
      if (!run.starts[s].second.ended.empty()) continue;
      const double end = seconds_of((*records)[i]->started).value_or(0) + (*records)[i]->wall_s;
      if (end <= all[s].end) continue;
      all[s].end = end;
      all[s].last = utc_text(end);
    }
  }
  for (std::size_t a = 0; a < all.size(); ++a) {
    for (std::size_t b = 0; b < all.size(); ++b) {
      if (a != b && all[a].begin < all[b].end && all[b].begin < all[a].end) all[a].shares = true;
    }
  }
  return all;
}

}  // namespace vsr::status
