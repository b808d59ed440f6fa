// Segments that are in a pipeline at the same time: the next one is decoded while the one before is
// at its last window, and upscaled while that is being finished.
#include "pipeline_fixture.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

namespace vsr::pipeline {
namespace {

using test::Pipeline;
using test::small_options;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Tells of what happens, and lets others wait for it (not for ever).
class Happenings {
 public:
  void tell(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++counts_[what];
    told_.notify_all();
  }

  bool wait_for(const std::string& what, int count = 1) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, std::chrono::seconds(20), [&] { return counts_[what] >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_;
  std::map<std::string, int> counts_;
};

class WatchedUpscaler final : public test::FakeUpscaler {
 public:
  using FakeUpscaler::FakeUpscaler;

  model::LrFrame upload(const PictureView& picture, gpu::Event* copied) override {
    model::LrFrame frame = FakeUpscaler::upload(picture, copied);
    happenings.tell("upload");
    return frame;
  }

  void begin_sequence() override {
    FakeUpscaler::begin_sequence();
    happenings.tell("sequence");
  }

  void run(std::span<const model::LrFrame> window,
           const FrameRange& emit,
           model::OutputSink& sink) override {
    if (before_window) before_window();
    FakeUpscaler::run(window, emit, sink);
  }

  Happenings happenings;
  std::function<void()> before_window;
};

// Takes what it is given; `finishing` is called at the end.
class PatientWriter final : public media::PictureWriter {
 public:
  explicit PatientWriter(std::function<void()> finishing) : finishing_(std::move(finishing)) {}

  void write(const PictureView&, const std::function<void()>&) override { ++frames_; }

  media::WrittenMezzanine finish(const std::function<void()>&) override {
    finishing_();
    return {.frames = frames_};
  }

 private:
  std::function<void()> finishing_;
  std::int64_t frames_ = 0;
};

class FollowingSegments : public Pipeline {
 protected:
  // Begins with `segment` in a thread of its own; `then` is called when the next one may begin.
  std::future<SegmentResult> start(SegmentPipeline& pipeline,
                                   const Segment& segment,
                                   const std::filesystem::path& path,
                                   const std::function<void()>& then = {}) {
    return std::async(std::launch::async, [&pipeline, &segment, path, then, this] {
      return pipeline.run(
          segment, path, stop_, [](std::int64_t) {}, then);
    });
  }

  // Both segments, the second one as soon as the first one lets it in. What came of each.
  struct Both {
    std::future<SegmentResult> first;
    std::future<SegmentResult> second;
  };

  Both run_both(SegmentPipeline& pipeline) {
    Happenings& happenings = watched_.happenings;
    Both both;
    both.first =
        start(pipeline, segments_[0], out("first"), [&] { happenings.tell("next may begin"); });
    EXPECT_TRUE(happenings.wait_for("next may begin"));
    both.second = start(pipeline, segments_[1], out("second"));
    both.first.wait();
    both.second.wait();
    return both;
  }

  static ErrorCode code_of(std::future<SegmentResult>& result) {
    try {
      result.get();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  }

  WatchedUpscaler watched_{film_.timeline().format};
  const std::vector<Segment> segments_ = plan_segments(60, {30, 3});
};

TEST_F(FollowingSegments, AreDecodedDuringTheLastWindowOfTheOneBefore) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  const auto first_frames = static_cast<int>(segments_[0].input.size());
  std::atomic<bool> may_begin = false;
  std::atomic<bool> waited = false;
  watched_.before_window = [&] {
    if (!may_begin || waited.exchange(true)) return;
    EXPECT_TRUE(watched_.happenings.wait_for("upload", first_frames + 5)) << "nothing was decoded";
  };
  auto first = start(pipeline, segments_[0], out("first"), [&] {
    may_begin = true;
    watched_.happenings.tell("next may begin");
  });
  ASSERT_TRUE(watched_.happenings.wait_for("next may begin"));
  auto second = start(pipeline, segments_[1], out("second"));
  expect_right_frames(segments_[0], first.get(), "first");
  expect_right_frames(segments_[1], second.get(), "second");
  EXPECT_TRUE(waited);
}

TEST_F(FollowingSegments, AreUpscaledWhileTheOneBeforeIsFinished) {
  watched_.remembering = true;  // one sequence a segment
  PipelineOptions options = small_options();
  options.open_writer = [&](const Segment& segment, const std::filesystem::path&) {
    return std::make_unique<PatientWriter>([&, first = segment.index == 0] {
      EXPECT_TRUE(!first || watched_.happenings.wait_for("sequence", 2));
    });
  };
  SegmentPipeline pipeline(film_.timeline(), watched_, options);
  Both both = run_both(pipeline);
  EXPECT_EQ(both.first.get().mezzanine.frames, segments_[0].core.size());
  EXPECT_EQ(both.second.get().mezzanine.frames, segments_[1].core.size());
}

TEST_F(FollowingSegments, AreLeftAloneByAFailureOfTheOneBefore) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  watched_.frames_until_failure = static_cast<int>(segments_[0].input.size()) - 2;
  Both both = run_both(pipeline);
  EXPECT_EQ(code_of(both.first), ErrorCode::kGpu);
  expect_right_frames(segments_[1], both.second.get(), "second");
}

TEST_F(FollowingSegments, LeaveTheOneBeforeAloneWhenTheyFail) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  auto first = start(pipeline, segments_[0], out("first"));
  auto second = start(pipeline, segments_[1], "/nonexistent-folder/out.mkv");
  // Which of the two came first is not said.
  EXPECT_EQ(code_of(second), ErrorCode::kStorage);
  expect_right_frames(segments_[0], first.get(), "first");
}

TEST_F(FollowingSegments, ComeAgainWithShorterWindowsWhenMemoryDoesNotHoldBoth) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  watched_.uploads_until_out_of_memory = static_cast<int>(segments_[0].input.size()) + 5;
  Both both = run_both(pipeline);
  expect_right_frames(segments_[0], both.first.get(), "first");
  const SegmentResult second = both.second.get();
  ASSERT_THAT(second.events, SizeIs(1));
  EXPECT_THAT(second.events[0], HasSubstr("the segment again with 8"));
  expect_right_frames(segments_[1], second, "second");
}

TEST_F(FollowingSegments, AreGivenUpByAStopThatTheOneBeforeOutlives) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  std::atomic<bool> may_begin = false;
  watched_.before_window = [&] {
    if (!may_begin) return;
    stop_ = 1;
    EXPECT_TRUE(watched_.happenings.wait_for("second given up"));
  };
  auto first = start(pipeline, segments_[0], out("first"), [&] {
    may_begin = true;
    watched_.happenings.tell("next may begin");
  });
  ASSERT_TRUE(watched_.happenings.wait_for("next may begin"));
  auto second = start(pipeline, segments_[1], out("second"));
  EXPECT_EQ(code_of(second), ErrorCode::kInterrupted);
  watched_.happenings.tell("second given up");
  expect_right_frames(segments_[0], first.get(), "first");
  EXPECT_FALSE(std::filesystem::exists(out("second")));
}

TEST_F(FollowingSegments, OfManyThreadsComeOutWhole) {
  SegmentPipeline pipeline(film_.timeline(), watched_, small_options());
  const auto segments = plan_segments(60, {7, 3});
  std::vector<std::future<SegmentResult>> results;
  for (const Segment& segment : segments) {
    results.push_back(start(pipeline, segment, out(std::to_string(segment.index))));
  }
  for (const Segment& segment : segments) {
    expect_right_frames(segment,
                        results[static_cast<std::size_t>(segment.index)].get(),
                        std::to_string(segment.index));
  }
}

}  // namespace
}  // namespace vsr::pipeline
