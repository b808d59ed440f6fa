// A thread that cannot be started. A program of its own, since it has a pthread_create() of its
// own.
#include "pipeline_fixture.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cerrno>
#include <optional>
#include <system_error>

// Of the threads that this thread starts, how many before the one that cannot be had.
static thread_local int refused = -1;

extern "C" int pthread_create(pthread_t* thread,
                              const pthread_attr_t* attributes,
                              void* (*start)(void*),
                              void* argument) {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return refused-- == 0 ? EAGAIN : create(thread, attributes, start, argument);
}

namespace vsr::pipeline {
namespace {

class Threads : public test::Pipeline {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "pthread_create() is the sanitizer's";
#endif
    Pipeline::SetUp();
    PipelineOptions options = test::small_options();
    options.quality = {.every = 1, .warn_below_db = 25, .patience_s = 60};
    pipeline_.emplace(film_.timeline(), upscaler_, options);
  }

  // Of the threads that the segment's own starts, this one cannot be had.
  SegmentResult run_without(int thread) {
    refused = thread;
    return run(*pipeline_, segment_);
  }

  const Segment segment_ = plan_segments(60, {25, 3}).at(1);
  std::optional<SegmentPipeline> pipeline_;
};

// In the order in which a segment starts them.
constexpr int kDecoder = 0;
constexpr int kMeasurer = 1;
constexpr int kEncoder = 2;

TEST_F(Threads, WithoutOneToMeasureTheSegmentIsMade) {
  const SegmentResult result = run_without(kMeasurer);
  expect_right_frames(segment_, result);
  EXPECT_THAT(result.quality_warnings,
              testing::ElementsAre(testing::HasSubstr("measuring ended after 0 frames: ")));
  EXPECT_THAT(result.events, testing::IsEmpty());
  EXPECT_THAT(run_without(-1).quality_warnings, testing::IsEmpty()) << "the next one has it";
}

TEST_F(Threads, WithoutOneOfTheStagesTheSegmentFailsAndNoMore) {
  for (const int stage : {kDecoder, kEncoder}) {
    EXPECT_THROW(run_without(stage), std::system_error) << stage;
    expect_right_frames(segment_, run_without(-1));
  }
}

}  // namespace
}  // namespace vsr::pipeline
