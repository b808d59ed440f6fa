// The colour kernels against the definition in double precision; on a GPU, or with the device code
// emulated on the CPU.
#include "vsr/kernels/colour.hpp"

#include "picture_memory.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#ifndef VSR_EMULATED_KERNELS
#include "vsr/gpu/device.hpp"
#endif

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::exact_sample;
using test::FormOnHost;
using test::kStream;
using test::OnDevice;
using test::PlanesOnHost;
using test::random_rgb;
using test::Rgb;
using test::rgb_at;
using test::RgbOnDevice;
using test::sample_at;

constexpr ChromaSiting kSitings[] = {ChromaSiting::kLeft,
                                     ChromaSiting::kCenter,
                                     ChromaSiting::kTopLeft,
                                     ChromaSiting::kTop,
                                     ChromaSiting::kBottomLeft,
                                     ChromaSiting::kBottom};

struct Conversion {
  PictureFormat format;
  ColourDescription colour;
};

std::string to_string(const Conversion& conversion) {
  return format("{} {} {} {}",
                vsr::to_string(conversion.format),
                vsr::to_string(conversion.colour.matrix),
                conversion.colour.full_range ? "full" : "limited",
                vsr::to_string(conversion.colour.siting));
}

// Everything a description may say, of one size.
std::vector<Conversion> all_conversions(int width, int height) {
  std::vector<Conversion> made;
  for (const int depth : {8, 9, 10, 12, 14, 16}) {
    for (const bool full : {false, true}) {
      for (const auto matrix :
           {Matrix::kBt601, Matrix::kBt709, Matrix::kBt2020Ncl, Matrix::kSmpte240m, Matrix::kFcc}) {
        const ColourDescription colour{.matrix = matrix, .full_range = full};
        for (const auto subsampling :
             {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
          for (const auto siting : kSitings) {
            made.push_back({{width, height, ColourModel::kYuv, subsampling, depth}, colour});
            made.back().colour.siting = siting;
          }
        }
        made.push_back(
            {{width, height, ColourModel::kRgb, ChromaSubsampling::k444, depth}, colour});
        made.push_back(
            {{width, height, ColourModel::kGray, ChromaSubsampling::k420, depth}, colour});
      }
    }
  }
  return made;
}

// Every layout in some sizes: of one sample, odd, of several blocks, of whole vectors.
std::vector<Conversion> all_sizes() {
  constexpr int kSizes[][2] = {{1, 1}, {2, 3}, {5, 2}, {67, 101}, {136, 16}};
  std::vector<Conversion> made;
  for (const auto& [width, height] : kSizes) {
    for (const int depth : {8, 10}) {
      for (const auto subsampling :
           {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
        made.push_back({{width, height, ColourModel::kYuv, subsampling, depth}, {}});
      }
      made.push_back({{width, height, ColourModel::kRgb, ChromaSubsampling::k444, depth}, {}});
      made.push_back({{width, height, ColourModel::kGray, ChromaSubsampling::k420, depth}, {}});
    }
  }
  return made;
}

class ColourKernels : public testing::Test {
 protected:
  void SetUp() override {
#ifndef VSR_EMULATED_KERNELS
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
#endif
  }

  // Random samples through the kernel, into an RGB larger by `right` and `below`.
  static void check_to_rgb(const Conversion& given,
                           std::ptrdiff_t extra_bytes,
                           int right,
                           int below,
                           int extra_columns) {
    const auto& [format, colour] = given;
    PlanesOnHost planes(format, 1, extra_bytes);
    planes.fill(1);
    OnDevice memory(planes.bytes());
    RgbOnDevice out(Rgb(format.width + right, format.height + below),
                    ElementType::kFloat,
                    extra_columns,
                    extra_columns);
    launch_planes_to_rgb(planes.view(memory.data()), colour, out.mutable_view(), kStream);
    bool untouched = false;
    const Rgb got = out.read(&untouched);
    ASSERT_TRUE(untouched) << to_string(given);
    for (int y = 0; y < got.height; ++y) {
      for (int x = 0; x < got.width; ++x) {
        const auto expected = rgb_at(
            planes.view(), colour, std::min(y, format.height - 1), std::min(x, format.width - 1));
        for (int c = 0; c < 3; ++c) {
          ASSERT_NEAR(
              got.at(c, y, x), std::clamp(expected[static_cast<std::size_t>(c)], 0.0, 1.0), 1e-6)
              << to_string(given) << " channel " << c << " row " << y << " column " << x;
        }
      }
    }
  }

  // Random samples once in planes and once as a decoder on the GPU leaves them: the same RGB, bit
  // for bit.
  static void check_same_rgb(const Conversion& given, const SampleForm& form) {
    const auto& [format, colour] = given;
    const auto rgb_of = [&](const std::vector<std::byte>& bytes, const auto& launch) {
      OnDevice memory(bytes);
      RgbOnDevice out(Rgb(format.width + 3, format.height + 2), ElementType::kFloat);
      launch(memory.data(), out.mutable_view());
      bool untouched = false;
      return out.read(&untouched).values;
    };
    PlanesOnHost planes(format, 1, 0);
    planes.fill(5);
    const FormOnHost left(planes.view(), form, 6);
    const auto expected = rgb_of(planes.bytes(), [&](void* memory, const MutableRgbView& rgb) {
      launch_planes_to_rgb(planes.view(memory), colour, rgb, kStream);
    });
    const auto got = rgb_of(left.bytes(), [&](void* memory, const MutableRgbView& rgb) {
      launch_planes_to_rgb(left.view(memory), form, colour, rgb, kStream);
    });
    EXPECT_EQ(got, expected) << to_string(given) << (form.semi_planar ? " in turn" : "")
                             << ", bits up: " << form.shift_bits;
  }

  // The planes that the kernel makes, all around them untouched.
  static PlanesOnHost run_to_planes(const Conversion& given,
                                    RgbOnDevice& rgb,
                                    std::ptrdiff_t pitch_unit,
                                    std::ptrdiff_t extra_bytes,
                                    const RgbToPlanesOptions& options = {},
                                    bool* finite = nullptr) {
    PlanesOnHost planes(given.format, pitch_unit, extra_bytes);
    OnDevice memory(planes.bytes());
    OnDevice flag(std::vector<std::byte>(sizeof(int)));
    launch_rgb_to_planes(rgb.view(),
                         planes.view(memory.data()),
                         given.colour,
                         options,
                         static_cast<int*>(flag.data()),
                         kStream);
    planes.set_bytes(memory.bytes());
    EXPECT_TRUE(planes.untouched_around()) << to_string(given);
    const bool clear = flag.bytes() == std::vector<std::byte>(sizeof(int));
    if (finite != nullptr) {
      *finite = clear;
    } else {
      EXPECT_TRUE(clear) << to_string(given);
    }
    return planes;
  }

  // Each sample the nearest to the exact value; where that is as good as halfway between two,
  // either.
  static void check_to_planes(const Conversion& given,
                              ElementType type,
                              int extra_columns,
                              std::ptrdiff_t pitch_unit,
                              std::ptrdiff_t extra_bytes) {
    const auto& [format, colour] = given;
    const Rgb rgb = random_rgb(format.width, format.height, -0.2f, 1.2f, type, 2);
    RgbOnDevice memory(rgb, type, extra_columns, extra_columns);
    PlanesOnHost planes = run_to_planes(given, memory, pitch_unit, extra_bytes);
    const double tie = std::ldexp(5e-7, format.bit_depth) + 1e-5;
    planes.for_each([&](int plane, int y, int x) {
      ASSERT_NEAR(sample_at(planes.view(), plane, y, x),
                  exact_sample(rgb, format, colour, plane, y, x),
                  0.5 + tie)
          << to_string(given) << " plane " << plane << " row " << y << " column " << x;
    });
  }
};

TEST_F(ColourKernels, PlanesToRgbOfEveryDescription) {
  for (const Conversion& given : all_conversions(5, 6)) {
    check_to_rgb(given, 0, 0, 0, 0);
    if (HasFatalFailure()) return;
  }
}

TEST_F(ColourKernels, PlanesToRgbOfEverySizeRepeatsTheEdges) {
  for (const Conversion& given : all_sizes()) {
    check_to_rgb(given, 0, 3, 2, 0);
    check_to_rgb(given, 6, 0, 5, 1);
    if (HasFatalFailure()) return;
  }
}

TEST_F(ColourKernels, PicturesOfADecoderOnTheGpuGiveTheSameRgb) {
  constexpr int kSizes[][2] = {{1, 1}, {5, 2}, {67, 35}};
  for (const auto& [width, height] : kSizes) {
    for (const int depth : {8, 10, 12, 16}) {
      for (const auto subsampling :
           {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
        for (const auto siting : {ChromaSiting::kLeft, ChromaSiting::kCenter}) {
          const Conversion given{{width, height, ColourModel::kYuv, subsampling, depth},
                                 {.siting = siting}};
          for (const bool semi_planar : {false, true}) {
            check_same_rgb(given, {semi_planar, depth == 8 ? 0 : 16 - depth});
          }
        }
      }
    }
  }
}

TEST_F(ColourKernels, FormsThatCannotBeAreRefused) {
  RgbOnDevice memory(Rgb(8, 8), ElementType::kFloat);
  const auto launch = [&](ColourModel model, int depth, const SampleForm& form) {
    PlanesOnHost planes({8, 8, model, ChromaSubsampling::k444, depth}, 1, 0);
    launch_planes_to_rgb(planes.view(), form, {}, memory.mutable_view(), kStream);
  };
  EXPECT_THROW(launch(ColourModel::kRgb, 8, {.semi_planar = true}), Error);
  EXPECT_THROW(launch(ColourModel::kYuv, 10, {.shift_bits = 7}), Error);
  EXPECT_THROW(launch(ColourModel::kYuv, 8, {.shift_bits = 1}), Error);
}

TEST_F(ColourKernels, RgbToPlanesOfEveryDescription) {
  for (const Conversion& given : all_conversions(6, 5)) {
    check_to_planes(given, ElementType::kFloat, 0, 1, 0);
    if (HasFatalFailure()) return;
  }
}

TEST_F(ColourKernels, RgbToPlanesOfEverySizeAndPitch) {
  for (const Conversion& given : all_sizes()) {
    for (const ElementType type : {ElementType::kFloat, ElementType::kHalf}) {
      check_to_planes(given, type, 0, 1, 0);
      check_to_planes(given, type, 3, 2, 6);
      check_to_planes(given, type, (4 - given.format.width % 4) % 4 + 4, 16, 16);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(ColourKernels, ReferenceLevels) {
  const auto samples = [&](double r, double g, double b, bool full) {
    const Conversion given{{2, 2, ColourModel::kYuv, ChromaSubsampling::k420, 10},
                           {.matrix = Matrix::kBt709, .full_range = full}};
    Rgb rgb(2, 2);
    for (std::size_t i = 0; i < rgb.values.size(); ++i) rgb.values[i] = i < 4 ? r : i < 8 ? g : b;
    RgbOnDevice memory(rgb, ElementType::kFloat);
    PlanesOnHost planes = run_to_planes(given, memory, 1, 0);
    return std::vector<int>{sample_at(planes.view(), 0, 1, 1),
                            sample_at(planes.view(), 1, 0, 0),
                            sample_at(planes.view(), 2, 0, 0)};
  };
  EXPECT_EQ(samples(0, 0, 0, false), (std::vector<int>{64, 512, 512}));
  EXPECT_EQ(samples(1, 1, 1, false), (std::vector<int>{940, 512, 512}));
  EXPECT_EQ(samples(1, 0, 0, false), (std::vector<int>{250, 409, 960}));
  EXPECT_EQ(samples(0, 0, 1, false), (std::vector<int>{127, 960, 471}));
  EXPECT_EQ(samples(1, 1, 1, true), (std::vector<int>{1023, 512, 512}));
  // Beyond the cube: clamped, not wrapped.
  EXPECT_EQ(samples(2, 3e38, 2, true), (std::vector<int>{1023, 512, 512}));
  EXPECT_EQ(samples(-1, -3e38, -1e-40, false), (std::vector<int>{64, 512, 512}));
  // Full-range chroma of a pure colour ends half a step above the greatest sample.
  EXPECT_EQ(samples(1, 0, 0, true), (std::vector<int>{217, 395, 1023}));
}

TEST_F(ColourKernels, OneValueThatIsNotFiniteRaisesTheFlag) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const auto subsampling :
       {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
    const Conversion given{{131, 11, ColourModel::kYuv, subsampling, 10}, {}};
    for (const ElementType type : {ElementType::kFloat, ElementType::kHalf}) {
      for (const float value : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
        constexpr int kPlaces[][3] = {{0, 0, 0}, {1, 10, 130}, {2, 5, 64}, {0, 10, 3}, {2, 0, 128}};
        for (const auto& [channel, y, x] : kPlaces) {
          Rgb rgb = random_rgb(131, 11, 0, 1, type, 3);
          rgb.at(channel, y, x) = static_cast<double>(value);
          RgbOnDevice memory(rgb, type, 1);
          bool finite = true;
          run_to_planes(given, memory, 1, 0, {}, &finite);
          EXPECT_FALSE(finite) << to_string(given) << " " << value << " at " << y << ", " << x;
        }
      }
    }
  }
}

TEST_F(ColourKernels, DitherKeepsTheFormatsValuesAndTheMeanOfAllOthers) {
  const Conversion given{{64, 64, ColourModel::kYuv, ChromaSubsampling::k444, 10},
                         {.full_range = true}};
  const auto flat = [&](double code, std::int64_t frame) {
    Rgb rgb(64, 64);
    for (double& value : rgb.values) value = code / 1023;
    RgbOnDevice memory(rgb, ElementType::kFloat);
    return run_to_planes(given, memory, 1, 0, {.dither = Dither::kOrdered, .frame = frame});
  };
  const auto mean = [](PlanesOnHost planes) {
    double sum = 0;
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) sum += sample_at(planes.view(), 0, y, x);
    }
    return sum / (64 * 64);
  };
  for (const int code : {0, 1, 64, 511, 1022, 1023}) EXPECT_EQ(mean(flat(code, 7)), code);
  for (const double share : {0.1, 0.25, 0.5, 0.9}) {
    EXPECT_NEAR(mean(flat(300 + share, 7)), 300 + share, 0.01);
  }
  // The same picture again, another one in the next frame.
  EXPECT_EQ(flat(300.5, 7).bytes(), flat(300.5, 7).bytes());
  EXPECT_NE(flat(300.5, 7).bytes(), flat(300.5, 8).bytes());
}

TEST_F(ColourKernels, DitherStaysWithinAStep) {
  const Conversion given{{67, 9, ColourModel::kYuv, ChromaSubsampling::k422, 10}, {}};
  const Rgb rgb = random_rgb(67, 9, -0.2f, 1.2f, ElementType::kFloat, 4);
  RgbOnDevice memory(rgb, ElementType::kFloat);
  PlanesOnHost planes =
      run_to_planes(given, memory, 1, 0, {.dither = Dither::kOrdered, .frame = 123456789012});
  planes.for_each([&](int plane, int y, int x) {
    ASSERT_NEAR(sample_at(planes.view(), plane, y, x),
                exact_sample(rgb, given.format, given.colour, plane, y, x),
                1);
  });
}

TEST_F(ColourKernels, OtherSizesAreRefused) {
  const Conversion given{{8, 8, ColourModel::kYuv, ChromaSubsampling::k422, 10}, {}};
  RgbOnDevice memory(Rgb(7, 8), ElementType::kFloat);
  PlanesOnHost planes(given.format, 1, 0);
  EXPECT_THROW(launch_planes_to_rgb(planes.view(), given.colour, memory.mutable_view(), kStream),
               Error);
  EXPECT_THROW(
      launch_rgb_to_planes(memory.view(), planes.view(), given.colour, {}, nullptr, kStream),
      Error);
}

}  // namespace
}  // namespace vsr::kernels
