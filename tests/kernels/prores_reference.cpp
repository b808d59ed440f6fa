#include "prores_reference.hpp"

#include "prores_layout.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace vsr::kernels::test {

namespace {

using namespace prores;

class BitWriter {
 public:
  void put(std::uint32_t value, int bits) {
    for (int i = bits - 1; i >= 0; --i) {
      if (bits_ % 8 == 0) bytes_.push_back(0);
      bytes_.back() =
          static_cast<std::uint8_t>(bytes_.back() | (value >> i & 1) << (7 - bits_ % 8));
      ++bits_;
    }
  }

  // Zeros up to whole bytes.
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t bits_ = 0;
};

int log2_of(std::uint32_t value) {
  int log = 0;
  while (value >>= 1) ++log;
  return log;
}

void put_code(BitWriter& to, int book, std::uint32_t value) {
  const int prefix = (book & 3) + 1;
  const int rice = book >> 5;
  const int order = book >> 2 & 7;
  const std::uint32_t first_long = static_cast<std::uint32_t>(prefix) << rice;
  if (value < first_long) {
    to.put(0, static_cast<int>(value >> rice));
    to.put(1, 1);
    to.put(value & ((1u << rice) - 1), rice);
    return;
  }
  const std::uint32_t rest = value - first_long + (1u << order);
  const int log = log2_of(rest);
  to.put(0, prefix + log - order);
  to.put(rest, log + 1);
}

// Zigzag: 0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4.
std::uint32_t unsigned_of(int value) {
  return static_cast<std::uint32_t>(value < 0 ? -2 * value - 1 : 2 * value);
}

int cosine(int k, int n) {
  // Of angle k (2n + 1) pi / 16, by the symmetries of the cosine.
  int angle = k * (2 * n + 1) % 32;
  if (angle > 16) angle = 32 - angle;
  if (k == 0) return kCosines[0];
  if (angle == 8) return 0;
  return angle < 8 ? kCosines[angle] : -kCosines[16 - angle];
}

using Block = std::array<int, 64>;

Block transform(const Block& samples) {
  Block rows{};
  for (int y = 0; y < 8; ++y) {
    for (int u = 0; u < 8; ++u) {
      int sum = 1 << (kRowShift - 1);
      for (int x = 0; x < 8; ++x) sum += cosine(u, x) * samples[8 * y + x];
      rows[8 * y + u] = sum >> kRowShift;
    }
  }
  Block values{};
  for (int v = 0; v < 8; ++v) {
    for (int u = 0; u < 8; ++u) {
      int sum = 1 << (kColumnShift - 1);
      for (int y = 0; y < 8; ++y) sum += cosine(v, y) * rows[8 * y + u];
      values[8 * v + u] = sum >> kColumnShift;
    }
  }
  return values;
}

struct Slice {
  int macroblocks = 0;
  std::vector<Block> planes[3];
};

Block block_at(const HostPicture& picture, int plane, int x0, int y0) {
  Block samples{};
  const int width = picture.plane_width(plane);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const int from = std::min(y0 + y, picture.height - 1) * width + std::min(x0 + x, width - 1);
      samples[8 * y + x] =
          std::min<int>(picture.planes[plane][static_cast<std::size_t>(from)], 1023) - 512;
    }
  }
  return transform(samples);
}

Slice slice_at(const HostPicture& picture, int column, int row, int macroblocks) {
  Slice slice;
  slice.macroblocks = macroblocks;
  for (int m = column; m < column + macroblocks; ++m) {
    for (int b = 0; b < 4; ++b) {
      slice.planes[0].push_back(block_at(picture, 0, 16 * m + b % 2 * 8, 16 * row + b / 2 * 8));
    }
    for (int plane = 1; plane < 3; ++plane) {
      for (int b = 0; b < 2; ++b) {
        slice.planes[plane].push_back(block_at(picture, plane, 8 * m, 16 * row + b * 8));
      }
    }
  }
  return slice;
}

int level_of(int value, int position, int quantiser) {
  const auto step = static_cast<std::uint32_t>(kTables.matrix[position] * quantiser);
  const std::uint32_t reciprocal = ((1u << kLevelShift) + step / 2) / step;
  const std::uint32_t rounding = position == 0 ? kDcRounding : kAcRounding;
  const auto magnitude = static_cast<int>(
      (static_cast<std::uint32_t>(std::abs(value)) * reciprocal + rounding) >> kLevelShift);
  return value < 0 ? -magnitude : magnitude;
}

std::vector<std::uint8_t> plane_bytes(const std::vector<Block>& blocks, int quantiser) {
  BitWriter to;
  int last = 0;
  bool falling = false;
  int book = kTables.first_dc_book;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const int dc = level_of(blocks[b][0], 0, quantiser);
    const int difference = dc - last;
    const std::uint32_t code = unsigned_of(falling ? -difference : difference);
    put_code(to, book, code);
    book = kTables.dc_book[b == 0 ? kFirstDcIndex : std::min((code + 1) / 2, 3u)];
    falling = b > 0 && difference < 0;
    last = dc;
  }
  int run = 0;
  int last_run = kFirstRun;
  int last_magnitude = kFirstLevel;
  for (int i = 1; i < 64; ++i) {
    for (const Block& block : blocks) {
      const int level = level_of(block[kTables.scan[i]], kTables.scan[i], quantiser);
      if (level == 0) {
        ++run;
        continue;
      }
      const int magnitude = std::abs(level);
      put_code(to, kTables.run_book[std::min(last_run, 15)], static_cast<std::uint32_t>(run));
      put_code(to,
               kTables.level_book[std::min(last_magnitude, 9)],
               static_cast<std::uint32_t>(magnitude - 1));
      to.put(level < 0 ? 1 : 0, 1);
      last_run = run;
      last_magnitude = magnitude;
      run = 0;
    }
  }
  return to.take();
}

void append(std::vector<std::uint8_t>& to, std::size_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

std::vector<std::uint8_t> slice_bytes(const Slice& slice, std::size_t index) {
  const int quantiser = kTables.quantisers[index];
  std::vector<std::uint8_t> planes[3];
  for (int p = 0; p < 3; ++p) planes[p] = plane_bytes(slice.planes[p], quantiser);
  std::vector<std::uint8_t> bytes = {kSliceHeaderBytes << 3, kTables.quantiser_codes[index]};
  append(bytes, planes[0].size(), 2);
  append(bytes, planes[1].size(), 2);
  for (const auto& plane : planes) bytes.insert(bytes.end(), plane.begin(), plane.end());
  return bytes;
}

// What stands for each quantiser: the index of the last one tried, and the slice's size with it.
struct Offer {
  std::uint32_t bytes[kQuantisers] = {};
  std::size_t index[kQuantisers] = {};
};

Offer offer_of(const Slice& slice, const Layout& layout) {
  const auto share = static_cast<std::uint32_t>(slice.macroblocks * layout.bits_per_macroblock);
  Offer offer;
  for (std::size_t tried = 0;;) {
    const auto bytes = static_cast<std::uint32_t>(slice_bytes(slice, tried).size());
    for (std::size_t i = tried; i < kQuantisers; ++i) {
      offer.bytes[i] = bytes > kMostSliceBytes ? kNeverBytes : bytes;
      offer.index[i] = tried;
    }
    const std::uint32_t bits = bytes * 8;
    if (2 * bits <= share || tried == kQuantisers - 1) return offer;
    tried += 1;
    if (2 * bits > kSecondHalves * share) tried += 1;
    if (2 * bits > kThirdHalves * share) tried += 1;
    tried = std::min<std::size_t>(tried, kQuantisers - 1);
  }
}

// The index of each slice's quantiser.
std::vector<std::size_t> choose(const std::vector<Offer>& offers, const Layout& layout) {
  std::size_t index = 0;
  std::uint64_t sum = 0;
  for (;; ++index) {
    sum = 0;
    for (const Offer& offer : offers) sum += offer.bytes[index];
    if (sum <= layout.budget_bytes || index == kQuantisers - 1) break;
  }
  std::vector<std::size_t> chosen(offers.size(), index);
  if (index > 0) {
    for (std::size_t i = 0; i < offers.size(); ++i) {
      const std::size_t s =
          i * static_cast<std::size_t>(layout.stride) % static_cast<std::size_t>(layout.slices);
      const std::uint32_t finer = offers[s].bytes[index - 1];
      const std::uint32_t coarser = offers[s].bytes[index];
      sum += finer > coarser ? finer - coarser : 0;
      if (sum <= layout.budget_bytes) chosen[s] = index - 1;
    }
  }
  for (std::size_t s = 0; s < offers.size(); ++s) chosen[s] = offers[s].index[chosen[s]];
  return chosen;
}

}  // namespace

std::vector<std::uint8_t> prores_reference(const ProresSettings& settings,
                                           const HostPicture& picture) {
  const Layout layout = layout_of(settings);
  std::vector<Slice> slices;
  for (int row = 0; row < layout.macroblock_rows; ++row) {
    int macroblocks = kSliceMacroblocks;
    for (int column = 0; column < layout.macroblock_columns; column += macroblocks) {
      while (layout.macroblock_columns - column < macroblocks) macroblocks /= 2;
      slices.push_back(slice_at(picture, column, row, macroblocks));
    }
  }
  std::vector<Offer> offers;
  for (const Slice& slice : slices) offers.push_back(offer_of(slice, layout));
  const std::vector<std::size_t> chosen = choose(offers, layout);

  const Header header = header_of(settings, layout);
  std::vector<std::uint8_t> packet(header.bytes, header.bytes + kHeaderBytes);
  std::vector<std::uint8_t> data;
  for (std::size_t s = 0; s < slices.size(); ++s) {
    const std::vector<std::uint8_t> bytes = slice_bytes(slices[s], chosen[s]);
    append(packet, bytes.size(), 2);
    data.insert(data.end(), bytes.begin(), bytes.end());
  }
  packet.insert(packet.end(), data.begin(), data.end());
  for (std::size_t i = 0; i < 4; ++i) {
    const int shift = 24 - 8 * static_cast<int>(i);
    packet[i] = static_cast<std::uint8_t>(packet.size() >> shift);
    packet[kFrameHeaderBytes + 1 + i] =
        static_cast<std::uint8_t>((packet.size() - kFrameHeaderBytes) >> shift);
  }
  return packet;
}

}  // namespace vsr::kernels::test
