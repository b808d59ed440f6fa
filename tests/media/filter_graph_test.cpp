#include "vsr/media/filter_graph.hpp"

#include "media/picture_filter.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace vsr::media {
namespace {

using ::testing::HasSubstr;

FilterGraphSpec pal_recipe() {
  FilterGraphSpec spec;
  spec.deinterlace = FilterGraphSpec::Deinterlace::kAll;
  spec.parity = FilterGraphSpec::Parity::kTop;
  spec.width = 1024;
  spec.height = 576;
  spec.matrix_in = Matrix::kBt601;
  spec.matrix_out = Matrix::kBt709;
  spec.sample_aspect = Rational(1, 1);
  spec.crop = FilterGraphSpec::Crop{1024, 432, 0, 72};
  return spec;
}

TEST(FilterGraph, PalRecipeWordForWordAndItsTags) {
  EXPECT_EQ(make_filter_graph(pal_recipe()),
            "bwdif=mode=send_frame:parity=tff:deint=all,"
            "zscale=w=1024:h=576:matrixin=bt470bg:matrix=bt709:filter=bicubic,"
            "setparams=colorspace=1:color_primaries=1:color_trc=1,"
            "setsar=1,crop=1024:432:0:72");
}

TEST(FilterGraph, NothingAskedNothingMade) { EXPECT_EQ(make_filter_graph({}), ""); }

TEST(FilterGraph, OnlyFlaggedFramesByTheStreamsParity) {
  FilterGraphSpec spec;
  spec.deinterlace = FilterGraphSpec::Deinterlace::kFlagged;
  EXPECT_EQ(make_filter_graph(spec), "bwdif=mode=send_frame:parity=auto:deint=interlaced");
}

TEST(FilterGraph, MatrixInAloneIsATag) {
  FilterGraphSpec spec;
  spec.matrix_in = Matrix::kBt601;
  EXPECT_EQ(make_filter_graph(spec), "setparams=colorspace=5");
  spec.width = 640;
  EXPECT_EQ(make_filter_graph(spec), "zscale=w=640:matrixin=bt470bg:matrix=bt470bg:filter=bicubic");
}

TEST(FilterGraph, NumbersThatMakeNoPictureAreUsageErrors) {
  const std::vector<std::function<void(FilterGraphSpec&)>> faults{
      [](auto& spec) { spec.width = -2; },
      [](auto& spec) { spec.height = 1 << 20; },
      [](auto& spec) { spec.crop->width = 0; },
      [](auto& spec) { spec.crop->x = -1; },
      [](auto& spec) { spec.crop->y = 145; },
      [](auto& spec) { spec.sample_aspect = Rational(0, 1); },
  };
  for (const auto& fault : faults) {
    FilterGraphSpec spec = pal_recipe();
    fault(spec);
    try {
      make_filter_graph(spec);
      ADD_FAILURE() << make_filter_graph(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    }
  }
}

TEST(TemporalRadius, BoundedFiltersAddUp) {
  EXPECT_EQ(temporal_radius(""), 0);
  EXPECT_EQ(temporal_radius("scale=320:-2,crop=iw-2:ih-4:1:2,hflip"), 0);
  EXPECT_EQ(temporal_radius(make_filter_graph(pal_recipe())), 1);
  EXPECT_EQ(temporal_radius("yadif,bwdif"), 2);
}

TEST(TemporalRadius, MemoryAndCountersHaveNoBound) {
  for (const char* filters : {"hqdn3d",
                              "fps=25",
                              "yadif,decimate",
                              "select='mod(n,2)'",
                              "crop=100:100:n:0",
                              "hue=h='n*2'",
                              "split[a][b];[a][b]hstack",
                              "noise=alls=20:allf=t",
                              "tmix=frames=3",
                              "setpts=PTS*2"}) {
    EXPECT_EQ(temporal_radius(filters), std::nullopt) << filters;
  }
}

TEST(TemporalRadius, WhatIsNoGraphIsAUsageErrorThatNamesTheFault) {
  const std::vector<std::pair<const char*, const char*>> faults{
      {"bwdiff=mode=0", "bwdiff"},
      {"scale=w=320:hight=2", "hight"},
      {"[in", "[in"},
      {"split", "one video input and one video output"},
      {"color=red", "one video input and one video output"},
      {"volume=2", "one video input and one video output"},
      {",", ","},
  };
  for (const auto& [filters, named] : faults) {
    try {
      temporal_radius(filters);
      ADD_FAILURE() << filters;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(named));
      EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("\n")));
    }
  }
}

}  // namespace
}  // namespace vsr::media
