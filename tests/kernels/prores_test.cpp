// The device's packets against the reference's, byte by byte; on a GPU, or with the device code
// emulated on the CPU. What the packets look like is for prores_decode_test.cpp.
#include "vsr/kernels/prores.hpp"

#include "kernel_memory.hpp"
#include "prores_reference.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/pinned_buffer.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::HostPicture;
using test::kStream;

enum class Content { kFilm, kFlat, kNoise, kExtremes, kBlocks, kSparse };

struct Case {
  std::string name;
  Content content = Content::kFilm;
  int width = 0;
  int height = 0;
  int bits = 0;
  int pitch_slack = 0;  // bytes after each row
};

void PrintTo(const Case& given, std::ostream* out) { *out << given.name; }

std::uint16_t sample_of(Content content, int plane, int x, int y, std::mt19937& random) {
  switch (content) {
    case Content::kFilm: {
      // Slopes, an edge and grain that differs from place to place.
      const double slope = 300 + 90 * std::sin(x * 0.031 + plane) + 80 * std::cos(y * 0.057);
      const double edge = (x + y / 2) % 150 < 60 ? 140 : 0;
      const double grain = static_cast<double>(random() % 64) * (x % 300 < 150 ? 0.1 : 1.0);
      return static_cast<std::uint16_t>(slope + edge + grain);
    }
    case Content::kFlat:
      return static_cast<std::uint16_t>(plane == 0 ? 300 : 520);
    case Content::kNoise:
      return static_cast<std::uint16_t>(random() % 1024);
    case Content::kExtremes:
      return static_cast<std::uint16_t>(random() % 2 == 0 ? 0 : 1023);
    case Content::kBlocks:
      return static_cast<std::uint16_t>((x / 8 + y / 8) % 2 == 0 ? 0 : 65535);  // counts as 1023
    case Content::kSparse:
      return static_cast<std::uint16_t>(random() % 1500 == 0 ? 1000 : 512);
  }
  return 0;
}

HostPicture picture_of(const Case& given) {
  HostPicture picture(given.width, given.height);
  std::mt19937 random(5);
  for (int p = 0; p < 3; ++p) {
    const int width = picture.plane_width(p);
    for (int y = 0; y < given.height; ++y) {
      for (int x = 0; x < width; ++x) {
        picture.planes[p][static_cast<std::size_t>(y * width + x)] =
            sample_of(given.content, p, x, y, random);
      }
    }
  }
  return picture;
}

class ProresTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
  }

  std::vector<std::uint8_t> encode(const HostPicture& picture, int pitch_slack) const {
    ProresPicture on_device;
    std::vector<test::OnDevice> planes;
    for (int p = 0; p < 3; ++p) {
      const auto row = static_cast<std::size_t>(picture.plane_width(p)) * 2;
      const std::size_t pitch = row + static_cast<std::size_t>(pitch_slack);
      std::vector<std::byte> bytes(pitch * static_cast<std::size_t>(picture.height));
      for (int y = 0; y < picture.height; ++y) {
        const auto at = static_cast<std::size_t>(y);
        std::memcpy(&bytes[at * pitch], &picture.planes[p][at * row / 2], row);
      }
      planes.emplace_back(bytes);
      on_device.pitch_bytes[p] = static_cast<std::ptrdiff_t>(pitch);
    }
    for (std::size_t p = 0; p < 3; ++p) {
      on_device.planes[p] = static_cast<const std::uint16_t*>(planes[p].data());
    }
    test::OnDevice workspace(
        std::vector<std::byte>(prores_workspace_bytes(settings_), std::byte{0xA5}));
    test::OnDevice packet(
        std::vector<std::byte>(prores_packet_capacity(settings_), std::byte{0xA5}));
    std::uint32_t bytes = 0;
#ifdef VSR_EMULATED_KERNELS
    launch_prores_encode(settings_,
                         on_device,
                         workspace.data(),
                         static_cast<std::byte*>(packet.data()),
                         &bytes,
                         kStream);
#else
    gpu::PinnedBuffer size(sizeof(bytes), true);
    launch_prores_encode(settings_,
                         on_device,
                         workspace.data(),
                         static_cast<std::byte*>(packet.data()),
                         reinterpret_cast<std::uint32_t*>(size.data()),
                         kStream);
    gpu::Event::record(kStream).wait();
    std::memcpy(&bytes, size.data(), sizeof(bytes));
#endif
    const std::vector<std::byte> all = packet.bytes();
    EXPECT_LE(bytes, all.size());
    std::vector<std::uint8_t> made(std::min<std::size_t>(bytes, all.size()));
    std::memcpy(made.data(), all.data(), made.size());
    return made;
  }

  ProresSettings settings_{.width = GetParam().width,
                           .height = GetParam().height,
                           .bits_per_macroblock = GetParam().bits};
};

TEST_P(ProresTest, BytesAreTheReferences) {
  const HostPicture picture = picture_of(GetParam());
  const std::vector<std::uint8_t> expected = test::prores_reference(settings_, picture);
  const std::vector<std::uint8_t> made = encode(picture, GetParam().pitch_slack);
  ASSERT_EQ(made.size(), expected.size());
  const auto [at, other] = std::mismatch(made.begin(), made.end(), expected.begin());
  EXPECT_TRUE(at == made.end()) << "byte " << at - made.begin() << " of " << made.size();
}

INSTANTIATE_TEST_SUITE_P(
    ,
    ProresTest,
    testing::Values(Case{"OneMacroblock", Content::kFilm, 16, 16},
                    Case{"LeastPicture", Content::kNoise, 2, 1, 0, 2},
                    Case{"OneWholeSlice", Content::kFilm, 128, 16},
                    Case{"AllSliceWidths", Content::kFilm, 240, 32},
                    Case{"OddSize", Content::kFilm, 66, 50, 0, 6},
                    Case{"RowsNotAligned", Content::kFilm, 146, 18, 0, 10},
                    Case{"Flat", Content::kFlat, 240, 32},
                    Case{"Noise", Content::kNoise, 240, 17},
                    Case{"NoiseAtManyBits", Content::kNoise, 240, 16, kMostProresBits},
                    Case{"Extremes", Content::kExtremes, 240, 16},
                    Case{"ExtremesAtFewBits", Content::kExtremes, 66, 34, 64},
                    Case{"Blocks", Content::kBlocks, 144, 32, 200},
                    Case{"LongRuns", Content::kSparse, 240, 32},
                    Case{"LongRunsAtFewBits", Content::kSparse, 240, 32, 100},
                    Case{"SomeSlicesFiner", Content::kFilm, 400, 64, 700},
                    Case{"SomeSlicesFinerStill", Content::kFilm, 400, 64, 1600}),
    [](const auto& given) { return given.param.name; });

#ifndef VSR_EMULATED_KERNELS

INSTANTIATE_TEST_SUITE_P(Large,
                         ProresTest,
                         testing::Values(Case{"Film", Content::kFilm, 4096, 1728},
                                         Case{"FilmAtOddSize", Content::kFilm, 2046, 1077},
                                         Case{"FilmAtFewBits", Content::kFilm, 1920, 804, 300},
                                         Case{"Noise", Content::kNoise, 1920, 1080},
                                         Case{"Extremes", Content::kExtremes, 1280, 544}),
                         [](const auto& given) { return given.param.name; });

#endif

}  // namespace
}  // namespace vsr::kernels
