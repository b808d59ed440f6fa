// What the encoder's packets look like to FFmpeg's decoder, and beside those of prores_ks. The
// packets are the reference's; that the device's are the same is for prores_test.cpp.
#include "prores_layout.hpp"
#include "prores_pictures.hpp"
#include "prores_reference.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/media/packet_writer.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vsr::kernels {
namespace {

using test::Decoded;
using test::HostPicture;

ProresSettings settings_for(const HostPicture& picture) {
  return {.width = picture.width, .height = picture.height};
}

// PSNR in dB.
double encode_and_decode(const HostPicture& picture, const ProresSettings& settings) {
  const std::vector<std::uint8_t> packet = test::prores_reference(settings, picture);
  EXPECT_LE(packet.size(), prores_packet_capacity(settings));
  const Decoded decoded = test::decode_prores(packet, picture.width, picture.height);
  EXPECT_EQ(decoded.errors, "");
  if (!decoded.errors.empty()) return 0;
  return test::psnr(picture, decoded.picture);
}

struct Size {
  int width;
  int height;
};

class ProresSizes : public testing::TestWithParam<Size> {};

INSTANTIATE_TEST_SUITE_P(,
                         ProresSizes,
                         testing::Values(Size{16, 16},
                                         Size{2, 2},
                                         Size{2, 1},
                                         Size{66, 50},
                                         Size{130, 17},
                                         Size{254, 33},
                                         Size{368, 96},
                                         Size{720, 434}),
                         [](const auto& given) {
                           return std::to_string(given.param.width) + "x" +
                                  std::to_string(given.param.height);
                         });

TEST_P(ProresSizes, FilmDecodes) {
  const auto [width, height] = GetParam();
  const HostPicture picture = test::film_picture(width, height, 3, 3);
  // The clip squeezed into one macroblock is all detail.
  EXPECT_GT(encode_and_decode(picture, settings_for(picture)), width == 16 ? 38 : 46);
}

TEST_P(ProresSizes, ExtremesDecode) {
  const auto [width, height] = GetParam();
  for (const HostPicture& picture : {test::noise_picture(width, height, false, 1),
                                     test::noise_picture(width, height, true, 2),
                                     test::blocks_picture(width, height)}) {
    for (const int bits : {0, 64, kMostProresBits}) {
      ProresSettings settings = settings_for(picture);
      settings.bits_per_macroblock = bits;
      EXPECT_GT(encode_and_decode(picture, settings), bits == kMostProresBits ? 25 : 8);
    }
  }
}

TEST(ProresDecode, FlatIsExact) {
  for (const int luma : {4, 64, 511, 512, 940, 1019}) {
    const HostPicture picture = test::flat_picture(272, 50, luma, 1023 - luma);
    EXPECT_EQ(encode_and_decode(picture, settings_for(picture)), 999) << luma;
  }
}

TEST(ProresDecode, ColourIsInTheHeader) {
  const HostPicture picture = test::flat_picture(64, 32, 300, 512);
  ProresSettings settings = settings_for(picture);
  set_prores_colour(settings, {.matrix = Matrix::kBt2020Ncl, .primaries = 9, .transfer = 16});
  const Decoded decoded =
      test::decode_prores(test::prores_reference(settings, picture), picture.width, picture.height);
  EXPECT_EQ(decoded.primaries, 9);
  EXPECT_EQ(decoded.transfer, 16);
  EXPECT_EQ(decoded.matrix, 9);
}

TEST(ProresDecode, RefusesWhatTheFormatCannotHold) {
  EXPECT_THROW(check_prores({.width = 65, .height = 16}), Error);
  EXPECT_THROW(check_prores({.width = 0, .height = 16}), Error);
  EXPECT_THROW(check_prores({.width = 16384, .height = 16384}), Error);
  EXPECT_THROW(check_prores({.width = 64, .height = 64, .bits_per_macroblock = 9}), Error);
  EXPECT_NO_THROW(check_prores({.width = 8192, .height = 8192}));
}

TEST(ProresDecode, AMezzanineOfItsPacketsIsReadBack) {
  constexpr int kFrames = 3;
  const test::HostPicture first = test::film_picture(272, 98, 0, 2);
  const PictureFormat format =
      media::mezzanine_format(media::MezzanineCodec::kProres, first.width, first.height);
  ProresSettings settings = settings_for(first);
  const ColourDescription colour{.matrix = Matrix::kBt709, .primaries = 1, .transfer = 1};
  set_prores_colour(settings, colour);
  const vsr::test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "0001.mov";
  media::PacketWriter writer(path, format, colour, {25, 1}, {1, 1}, 40);
  std::vector<HostPicture> expected;
  for (int frame = 0; frame < kFrames; ++frame) {
    const HostPicture picture = test::film_picture(first.width, first.height, frame, 2);
    const std::vector<std::uint8_t> packet = test::prores_reference(settings, picture);
    writer.write(std::as_bytes(std::span(packet)));
    expected.push_back(test::decode_prores(packet, first.width, first.height).picture);
  }
  const media::WrittenMezzanine made = writer.finish();
  media::SegmentReader reader(path, media::MezzanineCodec::kProres, 0, kFrames, made.checksums, 2);
  PictureView read;
  for (int frame = 0; frame < kFrames; ++frame) {
    ASSERT_TRUE(reader.read(read));
    for (int p = 0; p < 3; ++p) {
      const auto i = static_cast<std::size_t>(p);
      const auto row = static_cast<std::size_t>(expected[0].plane_width(p));
      for (int y = 0; y < first.height; ++y) {
        ASSERT_EQ(std::memcmp(read.planes[i] + y * read.pitch_bytes[i],
                              &expected[static_cast<std::size_t>(frame)]
                                   .planes[i][static_cast<std::size_t>(y) * row],
                              2 * row),
                  0);
      }
    }
  }
  EXPECT_FALSE(reader.read(read));
}

// At the bytes that prores_ks takes, and at its own budget.
TEST(ProresDecode, NoWorseThanFfmpegsEncoder) {
  struct Film {
    Size size;
    std::vector<double> grains;
  };

  for (const auto& [size, grains] : {Film{{720, 576}, {0, 6, 25}}, Film{{1920, 804}, {2, 12}}}) {
    for (const double noise : grains) {
      const HostPicture picture = test::film_picture(size.width, size.height, 7, noise);
      const std::vector<std::uint8_t> theirs = test::encode_prores_ks(picture);
      if (theirs.empty()) GTEST_SKIP() << "this FFmpeg has no prores_ks";
      const double their_psnr =
          test::psnr(picture, test::decode_prores(theirs, size.width, size.height).picture);
      const auto measure = [&](int bits) {
        ProresSettings settings = settings_for(picture);
        settings.bits_per_macroblock = bits;
        const std::vector<std::uint8_t> ours = test::prores_reference(settings, picture);
        const Decoded decoded = test::decode_prores(ours, size.width, size.height);
        EXPECT_EQ(decoded.errors, "");
        return std::pair(ours.size(), test::psnr(picture, decoded.picture));
      };
      const prores::Layout layout = prores::layout_of(settings_for(picture));
      const int macroblocks = layout.macroblock_columns * layout.macroblock_rows;
      const int bits = static_cast<int>(
          (theirs.size() - prores::kHeaderBytes - 2 * static_cast<std::size_t>(layout.slices)) * 8 /
          static_cast<std::size_t>(macroblocks));
      const auto [bytes, decibels] = measure(bits);
      const auto [usual_bytes, usual_decibels] = measure(0);
      std::printf(
          "%4dx%-4d grain %4.1f: prores_ks %8zu bytes %6.2f dB; ours at its bytes %8zu bytes %6.2f "
          "dB, by default %8zu bytes %6.2f dB\n",
          size.width,
          size.height,
          noise,
          theirs.size(),
          their_psnr,
          bytes,
          decibels,
          usual_bytes,
          usual_decibels);
      EXPECT_LE(bytes, theirs.size() * 101 / 100 + 100);
      EXPECT_GT(decibels, their_psnr - 0.1);
    }
  }
}

}  // namespace
}  // namespace vsr::kernels
