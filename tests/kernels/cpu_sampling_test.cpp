#include "cpu/sampling.hpp"
#include "sampling_reference.hpp"
#include "vsr/kernels/deform_columns.hpp"
#include "vsr/kernels/flow_warp.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace vsr::kernels {
namespace {

using test::AlignCase;
using test::max_difference;
using test::random_values;
using test::size_of;

std::vector<float> run_warp(const WarpShape& shape,
                            WarpBorder border,
                            const std::vector<float>& input,
                            const std::vector<float>& flow) {
  std::vector<float> out(input.size(), -99.0f);
  flow_warp_rows(
      shape, border, input.data(), flow.data(), out.data(), 0, shape.batch * shape.height);
  return out;
}

TEST(FlowWarp, MatchesTheDefinitionOnOddSizes) {
  for (const WarpShape shape : {WarpShape{1, 7, 5, 2},
                                WarpShape{2, 9, 13, 3},
                                WarpShape{1, 1, 1, 8},
                                WarpShape{1, 11, 3, 32},
                                WarpShape{3, 4, 6, 64},
                                WarpShape{1, 5, 5, 13}}) {
    const auto input = random_values(size_of(shape, shape.channels), -1, 1, 1);
    const auto flow = random_values(size_of(shape, 2), -6, 6, 2);
    for (const WarpBorder border : {WarpBorder::kZeros, WarpBorder::kClamp}) {
      EXPECT_LT(max_difference(run_warp(shape, border, input, flow),
                               test::warp(shape, border, input, flow)),
                3e-6)
          << shape.height << "x" << shape.width << "x" << shape.channels;
    }
  }
}

TEST(FlowWarp, ZeroFlowIsTheIdentity) {
  const WarpShape shape{1, 6, 7, 5};
  const auto input = random_values(size_of(shape, 5), -1, 1, 3);
  const std::vector<float> flow(size_of(shape, 2), 0.0f);
  EXPECT_EQ(run_warp(shape, WarpBorder::kZeros, input, flow), input);
  EXPECT_EQ(run_warp(shape, WarpBorder::kClamp, input, flow), input);
}

TEST(FlowWarp, AbsurdFlowsReadNothingOutside) {
  const WarpShape shape{1, 3, 4, 2};
  const std::vector<float> input(size_of(shape, 2), 1.0f);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            1e30f,
                            -1e30f}) {
    const std::vector<float> flow(size_of(shape, 2), value);
    for (const float got : run_warp(shape, WarpBorder::kClamp, input, flow)) EXPECT_EQ(got, 1.0f);
    for (const float got : run_warp(shape, WarpBorder::kZeros, input, flow)) {
      EXPECT_TRUE(got == 0.0f || std::isnan(value)) << value;
    }
  }
}

TEST(FlowWarp, SharedOutRowsGiveTheSameBits) {
  const WarpShape shape{2, 9, 13, 32};
  const auto input = random_values(size_of(shape, 32), -1, 1, 4);
  const auto flow = random_values(size_of(shape, 2), -6, 6, 5);
  const auto whole = run_warp(shape, WarpBorder::kZeros, input, flow);
  std::vector<float> parts(input.size());
  for (const auto& [begin, end] : {std::pair{0, 1}, std::pair{1, 10}, std::pair{10, 18}}) {
    flow_warp_rows(shape, WarpBorder::kZeros, input.data(), flow.data(), parts.data(), begin, end);
  }
  EXPECT_EQ(parts, whole);
}

TEST(AlignColumns, MatchTheDefinitionForEveryGroupSize) {
  for (const DeformShape shape : {DeformShape{5, 7, 8},
                                  DeformShape{9, 11, 16},
                                  DeformShape{6, 5, 24},
                                  DeformShape{12, 13, 32},
                                  DeformShape{7, 10, 64},
                                  DeformShape{3, 4, 128}}) {
    const AlignCase given(shape, 7);
    std::vector<float> columns(given.pixels() * given.column_size(), -99.0f);
    align_columns(given.input(columns.data()), {0, static_cast<std::int64_t>(given.pixels())});
    EXPECT_LT(max_difference(columns, given.expected()), 2e-5) << shape.channels;

    std::vector<float> offsets;
    std::vector<float> masks;
    given.plain(offsets, masks);
    std::vector<float> plain(columns.size(), -99.0f);
    deform_columns(
        {shape, given.x1.data(), given.x2.data(), offsets.data(), masks.data(), plain.data()},
        {0, static_cast<std::int64_t>(given.pixels())});
    EXPECT_LT(max_difference(plain, given.expected()), 2e-5) << shape.channels;
  }
}

TEST(AlignColumns, SaturatedHeadsStayWithinTheResidue) {
  AlignCase given({6, 6, 16}, 8);
  for (std::size_t i = 0; i < given.heads.size(); ++i) {
    given.heads[i] = i % 2 == 0 ? 200.0f : -200.0f;
  }
  std::vector<float> columns(given.pixels() * given.column_size());
  align_columns(given.input(columns.data()), {0, static_cast<std::int64_t>(given.pixels())});
  EXPECT_LT(max_difference(columns, given.expected()), 2e-5);
}

TEST(AlignColumns, RangesGiveTheSameBits) {
  const AlignCase given({8, 9, 32}, 9);
  const auto pixels = static_cast<std::int64_t>(given.pixels());
  std::vector<float> whole(given.pixels() * given.column_size());
  align_columns(given.input(whole.data()), {0, pixels});
  std::vector<float> parts(whole.size());
  const std::int64_t cut = 31;
  align_columns(given.input(parts.data()), {0, cut});
  HostAlignInput rest =
      given.input(parts.data() + cut * static_cast<std::int64_t>(given.column_size()));
  rest.heads += cut * kDeformHeadChannels;
  align_columns(rest, {cut, pixels});
  EXPECT_EQ(parts, whole);
}

TEST(AlignColumns, EveryInstructionSetAgrees) {
  const AlignCase given({9, 7, 64}, 10);
  std::vector<float> best(given.pixels() * given.column_size());
  std::vector<float> generic(best.size());
  const PixelRange all{0, static_cast<std::int64_t>(given.pixels())};
  best_sampling_kernels().align_columns(given.input(best.data()), all);
  sampling_kernels_generic().align_columns(given.input(generic.data()), all);
  EXPECT_LT(max_difference(best, generic), 2e-5);
}

}  // namespace
}  // namespace vsr::kernels
