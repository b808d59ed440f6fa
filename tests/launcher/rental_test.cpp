// What a film would cost on GPUs that can be rented, from what a dry run measured.
#include "rental.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace vsr::launcher {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr auto kH100 = "NVIDIA H100 80GB HBM3";
constexpr auto kL40S = "NVIDIA L40S";

// Two hours at 25 frames a second, on a machine with two H100 and 32 cores.
MeasuredHere usual() {
  MeasuredHere here;
  here.estimate.upscaling = {.frames = 180'000, .fps = 120, .pieces = 375, .workers = 2};
  here.estimate.encoding = {.frames = 180'000, .fps = 4, .pieces = 375, .workers = 16};
  here.estimate.gpus = 2;
  here.estimate.cores = 32;
  here.estimate.core_s_frame = 8;
  here.gpu = kH100;
  here.network = "c64n7";
  here.pixels = 1024 * 432;
  return here;
}

Rental on(const MeasuredHere& here, const char* gpu, int count = 1) {
  return rental_of(here, *gpu_types().find(gpu), count);
}

TEST(GpuTypes, AreThoseOfTheTable) {
  EXPECT_THAT(gpu_types().types, SizeIs(15));
  ASSERT_NE(gpu_types().find(kH100), nullptr);
  EXPECT_EQ(gpu_types().find(kH100)->rate, 1);
  EXPECT_TRUE(gpu_types().find(kH100)->measured);
  EXPECT_FALSE(gpu_types().find(kL40S)->measured);
  EXPECT_EQ(gpu_types().find("NVIDIA GeForce GT 710"), nullptr);
  EXPECT_EQ(gpu_types().network_fps.at("c64n7"), 75);
}

TEST(Rental, UpscalingGoesByWhatWasMeasuredHere) {
  EXPECT_NEAR(on(usual(), kH100).upscaling_h, 180'000 / 60.0 / 3600, 1e-9);
  EXPECT_NEAR(on(usual(), kH100, 4).upscaling_h, 180'000 / 240.0 / 3600, 1e-9);
  const double rate = gpu_types().find(kL40S)->rate;
  EXPECT_NEAR(on(usual(), kL40S).upscaling_h, 180'000 / (60.0 * rate) / 3600, 1e-9);
}

TEST(Rental, EncodingGoesByTheCoresThatComeWithThem) {
  const GpuType& type = *gpu_types().find(kL40S);
  const Rental rental = on(usual(), kL40S, 4);
  EXPECT_NEAR(rental.encoding_h, 180'000 * 8.0 / (4 * type.cores) / 3600, 1e-9);
  EXPECT_NEAR(rental.hours, rental.encoding_h + gpu_types().overhead_h, 1e-9);
  EXPECT_NEAR(rental.dollars, rental.hours * 4 * type.price, 1e-9);
}

TEST(Rental, AnEncodeOfTheWholeFilmHasOnePodsCores) {
  MeasuredHere here = usual();
  here.estimate.order = Order::kAfterwards;
  here.estimate.encoding.pieces = 1;
  here.estimate.encoding.workers = 1;
  EXPECT_NEAR(on(here, kL40S, 4).encoding_h, on(here, kL40S).encoding_h, 1e-9);
  const Rental rental = on(here, kL40S, 4);
  EXPECT_NEAR(rental.hours, rental.upscaling_h + rental.encoding_h + gpu_types().overhead_h, 1e-9);
}

TEST(Rental, TheTableHelpsWhereNothingWasMeasured) {
  MeasuredHere here = usual();
  here.gpu.clear();
  here.estimate.gpus = 0;
  here.estimate.upscaling.fps = 0.1;  // of the processors
  here.estimate.order = Order::kSameCores;
  const double h = 180'000 / (75 * gpu_types().film_share) / 3600;
  EXPECT_NEAR(on(here, kH100).upscaling_h, h, 1e-9);
  EXPECT_NEAR(on(here, kH100).hours, on(here, kH100).encoding_h + gpu_types().overhead_h, 1e-9);
  EXPECT_THAT(rental_lines(here).front(), HasSubstr("since none was measured here"));
  here.pixels *= 4;
  EXPECT_NEAR(on(here, kH100).upscaling_h, 4 * h, 1e-9);
  here.gpu = "NVIDIA GeForce GTX 1080";
  here.estimate.gpus = 1;
  EXPECT_NEAR(on(here, kH100).upscaling_h, 4 * h, 1e-9);
  EXPECT_THAT(rental_lines(here).front(), HasSubstr("which do not know NVIDIA GeForce GTX 1080"));
}

TEST(Rental, LinesAreOfEveryTypeTheCheapestFirst) {
  const std::vector<std::string> lines = rental_lines(usual());
  EXPECT_THAT(lines, SizeIs(15 + 5));
  EXPECT_THAT(lines.front(), HasSubstr("what NVIDIA H100 80GB HBM3 did here; prices"));
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("NVIDIA L40S ~"), HasSubstr("|"))));
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("NVIDIA H100 80GB HBM3  "), Not(HasSubstr("~")))));
  EXPECT_TRUE(std::all_of(
      lines.begin() + 1, lines.end(), [](const std::string& line) { return line.size() <= 130; }));
  EXPECT_THAT(lines.back(), StartsWith("the GPUs wait for the encoders"));
  MeasuredHere copied = usual();
  copied.estimate.encoding = {};
  EXPECT_THAT(rental_lines(copied).back(), StartsWith("~ "));
}

TEST(Rental, WhatIsLeftAloneCounts) {
  MeasuredHere here = usual();
  here.estimate.encoding = {};  // copied, or encoded already
  EXPECT_EQ(on(here, kH100).encoding_h, 0);
  here.estimate.upscaling = {};
  EXPECT_EQ(why_not_told(here), "");
  EXPECT_NEAR(on(here, kH100).hours, gpu_types().overhead_h, 1e-9);
}

TEST(Rental, WhyItIsNotTold) {
  MeasuredHere here = usual();
  here.estimate.core_s_frame = 0;  // the GPU encodes
  EXPECT_THAT(rental_lines(here), SizeIs(1));
  EXPECT_THAT(rental_lines(here).front(),
              EndsWith("what the encode takes of a processor is not known"));
  here = usual();
  here.half = false;
  EXPECT_EQ(why_not_told(here), "how fast c64n7 is on them but in half precision was not measured");
  here = usual();
  here.gpu.clear();
  here.network = "c128n25";
  EXPECT_EQ(why_not_told(here), "how fast c128n25 is on them was not measured");
}

}  // namespace
}  // namespace vsr::launcher
