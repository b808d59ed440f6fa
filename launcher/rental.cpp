#include "rental.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace vsr::launcher {

namespace {

constexpr std::array kCounts = {1, 4};
constexpr int kEncoderThreads = 2;  // of one of several on a host

bool scales_from_here(const MeasuredHere& here) {
  const Estimate& estimate = here.estimate;
  return estimate.gpus > 0 && estimate.upscaling.fps > 0 && gpu_types().find(here.gpu) != nullptr;
}

// Frames a second of one GPU with rate 1; 0: not known.
double reference_fps(const MeasuredHere& here) {
  if (scales_from_here(here)) {
    const Estimate& estimate = here.estimate;
    return estimate.upscaling.fps / estimate.gpus / gpu_types().find(here.gpu)->rate;
  }
  const GpuTypes& all = gpu_types();
  const auto network = all.network_fps.find(here.network);
  if (network == all.network_fps.end() || here.pixels <= 0) return 0;
  return network->second * all.film_share * all.reference_pixels / here.pixels;
}

// "0.65", "7.8", "33".
std::string hours_text(double hours) {
  return hours < 1    ? format("{:.2f}", hours)
         : hours < 10 ? format("{:.1f}", hours)
                      : format("{:.0f}", hours);
}

std::string dollars_text(double dollars) {
  return dollars < 10 ? format("${:.2f}", dollars) : format("${:.0f}", dollars);
}

std::string row_text(const std::vector<Rental>& row) {
  const GpuType& type = *row.front().type;
  std::string text = format(
      "{:<47} {:>5} {:>6.2f}", type.name + (type.measured ? "" : " ~"), type.cores, type.price);
  for (const Rental& rental : row) {
    text += format(" | {:>8}{:>8}{:>8} {:>7}",
                   hours_text(rental.upscaling_h),
                   hours_text(rental.encoding_h),
                   hours_text(rental.hours),
                   dollars_text(rental.dollars));
  }
  return text;
}

std::string prices_text() {
  std::set<std::string> dates;
  for (const GpuType& type : gpu_types().types) dates.insert(type.price_date);
  return format("prices of one GPU as published in {} to {}, cores as usual with one",
                *dates.begin(),
                *dates.rbegin());
}

}  // namespace

Rental rental_of(const MeasuredHere& here, const GpuType& type, int count) {
  Estimate there = here.estimate;
  there.gpus = count;
  there.upscaling.fps = reference_fps(here) * type.rate * count;
  there.upscaling.workers = count;
  // One encode of the whole film has the cores of one pod.
  const bool central = there.order == Order::kAfterwards;
  there.cores = type.cores * (central ? 1 : count);
  if (there.encoding.frames > 0) there.encoding.fps = there.cores / there.core_s_frame;
  there.encoding.workers = central ? 1 : std::max(1, there.cores / kEncoderThreads);
  if (!central) there.order = Order::kBeside;
  const double hours = there.seconds() / 3600 + gpu_types().overhead_h;
  return {.type = &type,
          .count = count,
          .upscaling_h = there.upscaling.seconds() / 3600,
          .encoding_h = there.encoding.seconds() / 3600,
          .hours = hours,
          .dollars = hours * type.price * count};
}

std::string why_not_told(const MeasuredHere& here) {
  const Estimate& estimate = here.estimate;
  if (estimate.upscaling.frames > 0 && (!here.half || reference_fps(here) <= 0)) {
    return format("how fast {} is on them{} was not measured",
                  here.network,
                  here.half ? "" : " but in half precision");
  }
  if (estimate.encoding.frames > 0 && estimate.core_s_frame <= 0) {
    return "what the encode takes of a processor is not known";
  }
  return {};
}

std::vector<std::vector<Rental>> rental_rows(const MeasuredHere& here) {
  std::vector<std::vector<Rental>> rows;
  for (const GpuType& type : gpu_types().types) {
    std::vector<Rental> row;
    for (const int count : kCounts) row.push_back(rental_of(here, type, count));
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.front().dollars < b.front().dollars;
  });
  return rows;
}

std::vector<std::string> rental_lines(const MeasuredHere& here) {
  if (const std::string why = why_not_told(here); !why.empty()) {
    return {"not told for rented GPUs: " + why};
  }
  std::vector<std::string> lines;
  lines.push_back(format("hours and dollars on rented GPUs, upscaling by {}; {}",
                         scales_from_here(here)
                             ? format("what {} did here", here.gpu)
                             : format("the figures of docs/costs.md, {}",
                                      here.gpu.empty() ? "since none was measured here"
                                                       : format("which do not know {}", here.gpu)),
                         prices_text()));
  std::string head = format("{:<60}", "");
  std::string columns = format("{:<47} {:>5} {:>6}", "GPU", "cores", "$/h");
  for (const int count : kCounts) {
    head += format(" | {:^32}", format("{} GPU{}, hours", count, count == 1 ? "" : "s"));
    columns += format(" | {:>8}{:>8}{:>8} {:>7}", "upscale", "encode", "in all", "$");
  }
  lines.push_back(head.substr(0, head.find_last_not_of(' ') + 1));
  lines.push_back(columns);
  const std::vector<std::vector<Rental>> rows = rental_rows(here);
  for (const auto& row : rows) lines.push_back(row_text(row));
  lines.push_back("~ how fast this type upscales is estimated, not measured (docs/costs.md)");
  const Rental& cheapest = rows.front().front();
  if (cheapest.encoding_h > cheapest.upscaling_h) {
    lines.push_back(
        "the GPUs wait for the encoders: what counts is cores and their price, and hosts without a "
        "GPU can encode too (docs/costs.md)");
  }
  return lines;
}

}  // namespace vsr::launcher
