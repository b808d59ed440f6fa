// Host memory does not grow with the film. A program of its own: see release_what_is_freed().
#include "fake_upscaler.hpp"
#include "gray_film.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vsr::pipeline {
namespace {

constexpr int kFramesASegment = 200;

void run_job(const test::GrayFilm& film, std::int64_t frames) {
  if (frames == 0) return;
  test::FakeUpscaler upscaler(film.timeline().format);
  SegmentPipeline pipeline(film.timeline(), upscaler, test::small_options());
  const std::atomic<int> stop = 0;
  for (const Segment& segment : plan_segments(frames, {kFramesASegment, 3})) {
    pipeline.run(segment, film.folder() / "out.mkv", stop, [](std::int64_t) {});
  }
}

// Peak resident memory in KiB of a job of so many frames, in a process of its own.
long peak_kib(const test::GrayFilm& film, std::int64_t frames) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      run_job(film, frames);
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  EXPECT_EQ(status, 0) << "a job of " << frames << " frames failed";
  return usage.ru_maxrss;
}

// Makes resident memory what the job holds, on a quiet machine and on a busy one. Unasked, glibc
// keeps freed memory in ways that one segment does not show and ten may:
//   - Each thread gets an arena, which outlives it. Every segment starts new threads, and which
//     arena the encoder gets depends on how the last ones ended: in time each has held its 10 MiB.
//   - A large block is mapped, and unmapped when freed, but the first one freed makes the next of
//     its size come from the arena, which keeps it and breaks it up.
// Both are bounded by the arenas and the largest picture, not by the film; both depend on chance.
// To be called before any thread runs, so this test is a program of its own.
void release_what_is_freed() {
  ASSERT_EQ(mallopt(M_ARENA_MAX, 1), 1);
  ASSERT_EQ(mallopt(M_MMAP_THRESHOLD, 128 * 1024), 1);
}

TEST(PipelineMemory, DoesNotGrowWithTheFilm) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps what is freed";
#endif
  release_what_is_freed();
  const test::GrayFilm film(2000);
  // The libraries alone take several times what the job does: they are not to hide it.
  const long before = peak_kib(film, 0);
  const long small = peak_kib(film, 200) - before;
  const long large = peak_kib(film, 2000) - before;
  EXPECT_GT(small, 1000);
  EXPECT_LE(static_cast<double>(large), 1.15 * static_cast<double>(small))
      << large << " KiB against " << small << " KiB, over " << before << " KiB";
}

}  // namespace
}  // namespace vsr::pipeline
