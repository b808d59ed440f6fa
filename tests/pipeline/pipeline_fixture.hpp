// A film of known gray levels and a pipeline's fake network over it.
#pragma once

#include "fake_upscaler.hpp"
#include "gray_film.hpp"
#include "vsr/media/segment_writer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vsr::pipeline::test {

// Mean luma of each picture of a mezzanine, in 10 bits.
inline std::vector<double> levels_of(const std::filesystem::path& path,
                                     const media::WrittenMezzanine& written) {
  media::SegmentReader reader(
      path, media::MezzanineCodec::kFfv1, 0, written.frames, written.checksums, 1);
  std::vector<double> levels;
  PictureView picture;
  while (reader.read(picture)) {
    double sum = 0;
    for (int x = 0; x < picture.format.width; ++x) {
      sum += reinterpret_cast<const std::uint16_t*>(picture.planes[0])[x];
    }
    levels.push_back(sum / picture.format.width);
  }
  return levels;
}

class Pipeline : public ::testing::Test {
 protected:
  std::filesystem::path out(const std::string& name = "out") const {
    return film_.folder() / (name + ".mkv");
  }

  SegmentResult run(SegmentPipeline& pipeline, const Segment& segment) {
    return pipeline.run(segment, out(), stop_, [](std::int64_t) {});
  }

  void expect_right_frames(const Segment& segment,
                           const SegmentResult& result,
                           const std::string& name = "out") {
    const auto levels = levels_of(out(name), result.mezzanine);
    ASSERT_EQ(static_cast<std::int64_t>(levels.size()), segment.input.size());
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const auto frame = static_cast<int>(segment.input.begin) + static_cast<int>(i);
      // Through the swscale of the source's making the level shifts with the range; order is what
      // counts, and that each frame is itself.
      EXPECT_NEAR(levels[i], expected_[static_cast<std::size_t>(frame)] * 4, 0.01) << frame;
    }
  }

  void SetUp() override {
    media::FrameReader reader(film_.timeline(), 0, 1);
    PictureView picture;
    while (reader.read(picture)) expected_.push_back(static_cast<double>(picture.planes[0][0]));
    ASSERT_EQ(expected_.size(), 60u);
  }

  GrayFilm film_{60};
  test::FakeUpscaler upscaler_{film_.timeline().format};
  std::vector<double> expected_;
  std::atomic<int> stop_ = 0;
};

}  // namespace vsr::pipeline::test
