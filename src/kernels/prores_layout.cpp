#include "prores_layout.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/picture.hpp"

#include <cstring>
#include <numeric>

namespace vsr::kernels {

namespace prores {

namespace {

// Apple's published rates of ProRes 422 HQ by the macroblock: 63 Mbit/s at 720x576 and 25 fps, 110
// at 1280x720 and 29.97, 220 at 1920x1080 and 29.97.
int usual_bits(int macroblocks) {
  if (macroblocks <= 1620) return 1555;
  return macroblocks <= 3600 ? 1020 : 900;
}

int rounded_up(int value, int unit) { return (value + unit - 1) / unit; }

int bits_set(int value) {
  int count = 0;
  for (; value != 0; value &= value - 1) ++count;
  return count;
}

void put(std::uint8_t* to, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to[i] = static_cast<std::uint8_t>(value >> 8 * (bytes - 1 - i));
}

}  // namespace

Layout layout_of(const ProresSettings& settings) {
  Layout layout;
  layout.width = settings.width;
  layout.height = settings.height;
  layout.macroblock_columns = rounded_up(settings.width, 16);
  layout.macroblock_rows = rounded_up(settings.height, 16);
  layout.slices_per_row = layout.macroblock_columns / kSliceMacroblocks +
                          bits_set(layout.macroblock_columns % kSliceMacroblocks);
  layout.slices = layout.slices_per_row * layout.macroblock_rows;
  const int macroblocks = layout.macroblock_columns * layout.macroblock_rows;
  layout.bits_per_macroblock =
      settings.bits_per_macroblock > 0 ? settings.bits_per_macroblock : usual_bits(macroblocks);
  layout.budget_bytes = static_cast<std::uint64_t>(macroblocks) *
                        static_cast<std::uint64_t>(layout.bits_per_macroblock) / 8;
  // Near the golden section any stretch of the order is spread evenly; coprime, it meets each once.
  layout.stride = static_cast<int>(0.618034 * layout.slices);
  while (layout.stride < 1 || std::gcd(layout.stride, layout.slices) != 1) ++layout.stride;
  return layout;
}

Workspace workspace_of(const Layout& layout) {
  const auto slices = static_cast<std::size_t>(layout.slices);
  Workspace parts;
  std::size_t at = 0;
  const auto place = [&](std::size_t bytes) {
    const std::size_t here = at;
    at += (bytes + 255) / 256 * 256;
    return here;
  };
  parts.values = place(slices * kSliceValues * sizeof(std::int16_t));
  parts.sizes = place(slices * kQuantisers * sizeof(std::uint32_t));
  parts.offsets = place(slices * sizeof(std::uint32_t));
  parts.tried = place(slices * sizeof(std::uint32_t));
  parts.chosen = place(slices);
  parts.bytes = at;
  return parts;
}

Header header_of(const ProresSettings& settings, const Layout& layout) {
  Header header{};
  std::uint8_t* const frame = header.bytes;
  std::memcpy(frame + 4, "icpf", 4);
  put(frame + 8, kFrameHeaderBytes - 8, 2);
  std::memcpy(frame + 12, "vsr0", 4);  // who made it; bytes 10 and 11: version 0
  put(frame + 16, static_cast<std::uint32_t>(layout.width), 2);
  put(frame + 18, static_cast<std::uint32_t>(layout.height), 2);
  frame[20] = 2 << 6;  // 4:2:2, progressive
  frame[22] = static_cast<std::uint8_t>(settings.primaries);
  frame[23] = static_cast<std::uint8_t>(settings.transfer);
  frame[24] = static_cast<std::uint8_t>(settings.matrix);
  frame[27] = 3;  // both matrices follow
  std::memcpy(frame + 28, kTables.matrix, 64);
  std::memcpy(frame + 92, kTables.matrix, 64);
  std::uint8_t* const picture = frame + kFrameHeaderBytes;
  picture[0] = kPictureHeaderBytes << 3;
  put(picture + 5, static_cast<std::uint32_t>(layout.slices), 2);
  picture[7] = 3 << 4;  // slices of 2^3 macroblocks
  return header;
}

}  // namespace prores

void set_prores_colour(ProresSettings& settings, const ColourDescription& colour) {
  settings.primaries = colour.primaries;
  settings.transfer = colour.transfer;
  switch (colour.matrix) {
    case Matrix::kBt601:
      settings.matrix = colour.primaries == 6 ? 6 : 5;  // one matrix under two numbers
      break;
    case Matrix::kBt709:
      settings.matrix = 1;
      break;
    case Matrix::kBt2020Ncl:
      settings.matrix = 9;
      break;
    case Matrix::kSmpte240m:
      settings.matrix = 7;
      break;
    case Matrix::kFcc:
      settings.matrix = 4;
      break;
  }
}

void check_prores(const ProresSettings& settings) {
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::kInternal,
                format("ProRes on the GPU of {}x{} with {} bits a macroblock: {}",
                       settings.width,
                       settings.height,
                       settings.bits_per_macroblock,
                       why));
  };
  if (settings.width < 2 || settings.width % 2 != 0) refuse("the width must be even");
  if (settings.height < 1) refuse("there must be a line");
  if (settings.width > 65534 || settings.height > 65535) refuse("sides end at 65535");
  if (prores::layout_of(settings).slices > 65535) refuse("there are more slices than 65535");
  const int bits = settings.bits_per_macroblock;
  if (bits != 0 && (bits < 64 || bits > kMostProresBits)) refuse("the bits are out of range");
}

std::size_t prores_workspace_bytes(const ProresSettings& settings) {
  check_prores(settings);
  return prores::workspace_of(prores::layout_of(settings)).bytes;
}

std::size_t prores_usual_packet_bytes(const ProresSettings& settings) {
  check_prores(settings);
  const prores::Layout layout = prores::layout_of(settings);
  return prores::kHeaderBytes + 2 * static_cast<std::size_t>(layout.slices) + layout.budget_bytes;
}

std::size_t prores_packet_capacity(const ProresSettings& settings) {
  check_prores(settings);
  const prores::Layout layout = prores::layout_of(settings);
  const auto slices = static_cast<std::size_t>(layout.slices);
  const std::size_t macroblocks = static_cast<std::size_t>(layout.macroblock_columns) *
                                  static_cast<std::size_t>(layout.macroblock_rows);
  const std::size_t coarsest =
      macroblocks * prores::kMacroblockValues * prores::kCoarsestBits / 8 + slices * 32;
  return prores::kHeaderBytes + 2 * slices +
         (coarsest > layout.budget_bytes ? coarsest : layout.budget_bytes);
}

}  // namespace vsr::kernels
