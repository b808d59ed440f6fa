#include "dvd_spu.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vsr::assemble {

namespace {

constexpr std::uint32_t kLatestDate = 0xffff;
// Real packets have two or three sequences; a chain longer than this is damaged.
constexpr std::size_t kMostSequences = 256;

std::uint32_t read_big_endian(std::span<const std::uint8_t> bytes, std::size_t at, int width) {
  std::uint32_t value = 0;
  for (int i = 0; i < width; ++i) value = value << 8 | bytes[at + static_cast<std::size_t>(i)];
  return value;
}

// Places of the dates of all control sequences; empty when the chain leaves the packet.
std::vector<std::size_t> find_dates(std::span<const std::uint8_t> packet) {
  // Size and address of the first sequence take two bytes each; HD units put a zero before and
  // take four.
  if (packet.size() < 10) return {};
  const bool wide = packet[0] == 0 && packet[1] == 0;
  const int width = wide ? 4 : 2;
  std::size_t at = read_big_endian(packet, wide ? 6 : 2, width);
  std::vector<std::size_t> dates;
  while (true) {
    if (at > packet.size() || packet.size() - at < 2 + static_cast<std::size_t>(width)) return {};
    if (dates.size() == kMostSequences) return {};
    dates.push_back(at);
    const std::size_t next = read_big_endian(packet, at + 2, width);
    if (next <= at) return dates;  // the last one names itself
    at = next;
  }
}

}  // namespace

bool rescale_spu_dates(std::span<std::uint8_t> packet, const Rational& stretch) {
  const std::vector<std::size_t> dates = find_dates(packet);
  for (const std::size_t at : dates) {
    const std::uint32_t date = read_big_endian(packet, at, 2);
    const std::int64_t scaled =
        std::clamp<std::int64_t>(rescale(date, stretch, Rational(1, 1)), 0, kLatestDate);
    packet[at] = static_cast<std::uint8_t>(scaled >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(scaled & 0xff);
  }
  return !dates.empty();
}

}  // namespace vsr::assemble
