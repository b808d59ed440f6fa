// Decoding by the GPU's own decoder against decoding by the processor: every picture, in order and
// entered anywhere. Skips, and says why, where there is no GPU or its decoder is not to be had.
#include "encoded_films.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <ostream>
#include <string>
#include <vector>

namespace vsr::media {
namespace {

using Samples = std::vector<std::byte>;

Samples samples_of(const PictureView& picture) {
  Samples packed(packed_bytes(picture.format));
  copy_picture(picture, packed_view(picture.format, packed.data()));
  return packed;
}

std::vector<Samples> pictures_of(const Timeline& timeline,
                                 std::int64_t first,
                                 std::int64_t count,
                                 const DecodeDevice& device) {
  FrameReader reader(timeline, first, 2, device);
  std::vector<Samples> all;
  PictureView picture;
  while (static_cast<std::int64_t>(all.size()) < count && reader.read(picture)) {
    all.push_back(samples_of(picture));
  }
  return all;
}

// The same of a picture in the GPU's memory, fetched by the CUDA runtime.
Samples samples_of(const DevicePicture& picture, int gpu) {
  const PictureFormat& format = picture.view.format;
  const int bytes = bytes_per_sample(format);
  std::vector<std::byte> packed(packed_bytes(format));
  const MutablePictureView out = packed_view(format, packed.data());
  const gpu::StreamView stream{picture.stream, gpu};
  for (std::size_t plane = 0; plane < 3 && picture.view.planes[plane] != nullptr; ++plane) {
    const bool pairs = picture.form.semi_planar && plane == 1;
    const int width = plane_width(format, static_cast<int>(plane)) * (pairs ? 2 : 1);
    const int height = plane_height(format, static_cast<int>(plane));
    const std::size_t row_bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(bytes);
    std::vector<std::byte> rows(row_bytes * static_cast<std::size_t>(height));
    gpu::copy_plane_async({.from = picture.view.planes[plane],
                           .from_pitch_bytes = picture.view.pitch_bytes[plane],
                           .to = rows.data(),
                           .to_pitch_bytes = static_cast<std::ptrdiff_t>(row_bytes),
                           .row_bytes = row_bytes,
                           .rows = static_cast<std::size_t>(height)},
                          stream);
    gpu::Event::record(stream).wait();
    const auto sample = [&](int x, int y) {
      const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                             static_cast<std::size_t>(x);
      if (bytes == 1) return static_cast<unsigned>(rows[at]);
      return static_cast<unsigned>(reinterpret_cast<const std::uint16_t*>(rows.data())[at]) >>
             picture.form.shift_bits;
    };
    for (std::size_t to = plane; to <= (pairs ? 2 : plane); ++to) {
      for (int y = 0; y < height; ++y) {
        std::byte* row = out.planes[to] + y * out.pitch_bytes[to];
        for (int x = 0; x < plane_width(format, static_cast<int>(to)); ++x) {
          const unsigned value = pairs ? sample(2 * x + static_cast<int>(to) - 1, y) : sample(x, y);
          if (bytes == 1) {
            row[x] = static_cast<std::byte>(value);
          } else {
            reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(value);
          }
        }
      }
    }
  }
  return packed;
}

struct Case {
  const char* name;
  const char* file;
  test::EncodedFilm film;
  const char* filters;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class Nvdec : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU: " << gpu::unavailable_reason();
    const Case& c = GetParam();
    if (!test::have_encoder(c.film.encoder)) {
      GTEST_SKIP() << "this FFmpeg has no encoder " << c.film.encoder;
    }
    const auto path = folder_.path() / c.file;
    test::encode_film(path, c.film);
    TimelineOptions options;
    options.filters = c.filters;
    const TimelinePlan plan = plan_timeline(probe(path), options);
    ASSERT_FALSE(plan.needs_mezzanine) << plan.why;
    timeline_ = plan.timeline;
    ASSERT_EQ(timeline_.frames(), c.film.frames);
    try {
      check_nvdec(timeline_, {});
    } catch (const Error& error) {
      // A decoder that is there and does not take such a film would be a failure.
      const std::string text = error.what();
      const bool not_there = text.find("Cannot load") != std::string::npos ||  // libnvcuvid
                             text.find("was built without it") != std::string::npos;
      if (not_there) GTEST_SKIP() << text;
      FAIL() << text;
    }
    on_cpu_ = pictures_of(timeline_, 0, 1000, {});
    ASSERT_EQ(on_cpu_.size(), static_cast<std::size_t>(c.film.frames));
    ASSERT_EQ(std::adjacent_find(on_cpu_.begin(), on_cpu_.end()), on_cpu_.end());
  }

  // H.264 and HEVC fix every sample. MPEG-2 leaves the rounding of its inverse transform open, so
  // decoders differ in the last bits, and the more so the farther the last key picture is; there
  // each picture has to be close to the same one of the CPU, and closer than to those beside it.
  void expect_same(const std::vector<Samples>& found, std::size_t first) const {
    const bool fixed = GetParam().film.encoder != std::string("mpeg2video");
    std::string wrong;
    double greatest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::size_t frame = first + i;
      bool right = found[i] == on_cpu_[frame];
      if (!right && !fixed) {
        const double error = mean_square(found[i], on_cpu_[frame]);
        right = error <= kMostMeanSquare;
        greatest = std::max(greatest, error);
        for (const std::size_t other : {frame - 1, frame + 1}) {
          right =
              right && (other >= on_cpu_.size() || error < mean_square(found[i], on_cpu_[other]));
        }
      }
      if (!right) wrong += " " + std::to_string(frame);
    }
    EXPECT_EQ(wrong, "") << "of " << found.size() << " pictures from " << first
                         << ", greatest mean square " << greatest;
  }

  // Of 8-bit samples.
  static double mean_square(const Samples& a, const Samples& b) {
    if (a.size() != b.size()) return 1e9;
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const int difference = std::to_integer<int>(a[i]) - std::to_integer<int>(b[i]);
      sum += difference * difference;
    }
    return sum / static_cast<double>(a.size());
  }

  static constexpr double kMostMeanSquare = 2.0;  // 45 dB

  test::TemporaryFolder folder_;
  Timeline timeline_;
  std::vector<Samples> on_cpu_;
};

TEST_P(Nvdec, EveryPictureInOrder) {
  const auto found = pictures_of(timeline_, 0, 1000, {.nvdec = true});
  ASSERT_EQ(found.size(), on_cpu_.size());
  expect_same(found, 0);
  std::printf("%s: %zu pictures of %s as on the CPU\n",
              GetParam().name,
              found.size(),
              to_string(timeline_.format).c_str());
}

TEST_P(Nvdec, EnteredAnywhere) {
  for (const std::size_t first : {1u, 7u, 11u, 12u, 13u, 14u, 23u, 24u, 25u, 36u, 42u, 58u, 59u}) {
    const auto found = pictures_of(timeline_, static_cast<std::int64_t>(first), 5, {.nvdec = true});
    EXPECT_EQ(found.size(), std::min<std::size_t>(5, on_cpu_.size() - first));
    expect_same(found, first);
  }
}

// In the context that the runtime and torch use.
TEST_P(Nvdec, InTheContextOfOthers) {
  const DecodeDevice device{.nvdec = true, .cuda_context = gpu::driver_context(0)};
  const auto found = pictures_of(timeline_, 3, 20, device);
  ASSERT_EQ(found.size(), 20u);
  expect_same(found, 3);
}

TEST_P(Nvdec, PicturesThatStayOnTheGpu) {
  const DecodeDevice device{
      .nvdec = true, .cuda_context = gpu::driver_context(0), .stay_on_gpu = true};
  const bool untouched = timeline_.filters.empty();
  FrameReader reader(timeline_, 5, 2, device);
  PictureView picture;
  std::optional<DevicePicture> on_device;
  std::deque<DevicePicture> held;  // as long as they may be
  std::vector<Samples> found;
  while (reader.read(picture, on_device)) {
    ASSERT_EQ(on_device.has_value(), untouched);
    if (!on_device) {
      found.push_back(samples_of(picture));
      continue;
    }
    held.push_back(*on_device);
    if (held.size() < DevicePicture::kMostHeld) continue;
    found.push_back(samples_of(held.front(), 0));
    held.pop_front();
  }
  for (const DevicePicture& last : held) found.push_back(samples_of(last, 0));
  ASSERT_EQ(found.size(), on_cpu_.size() - 5);
  expect_same(found, 5);
  // Fetched by those who do not take them there.
  const auto fetched = pictures_of(timeline_, 5, 10, device);
  ASSERT_EQ(fetched.size(), 10u);
  expect_same(fetched, 5);
}

const std::vector<std::pair<std::string, std::string>> kMpeg2{
    {"b", "2000000"}, {"g", "12"}, {"bf", "2"}};
const std::vector<std::pair<std::string, std::string>> kOpenGops{
    {"preset", "fast"},
    {"x264-params",
     "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-pyramid=normal:threads=1"}};
constexpr const char* kDeinterlaced = "bwdif=mode=send_frame:parity=tff:deint=all,crop=256:128:0:8";

TEST(NvdecMpeg2, InterlacedInAnOddNumberOfRowsIsRefused) {
  if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU: " << gpu::unavailable_reason();
  const test::TemporaryFolder folder;
  const auto film = folder.path() / "a.mkv";
  test::encode_film(film,
                    {.encoder = "mpeg2video", .options = kMpeg2, .interlaced = true, .frames = 12});
  const Timeline timeline = plan_timeline(probe(film), {}).timeline;
  try {
    check_nvdec(timeline, {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("stream.decode = cpu"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Films,
    Nvdec,
    ::testing::Values(
        Case{"Mpeg2", "a.mkv", {.encoder = "mpeg2video", .options = kMpeg2}, ""},
        Case{"Mpeg2Interlaced",
             "a.mkv",
             {.encoder = "mpeg2video", .options = kMpeg2, .interlaced = true, .height = 160},
             ""},
        Case{"Mpeg2Deinterlaced",
             "a.mpg",
             {.encoder = "mpeg2video", .options = kMpeg2, .interlaced = true, .height = 160},
             kDeinterlaced},
        Case{"Mpeg2OddSize",
             "a.mkv",
             {.encoder = "mpeg2video", .options = kMpeg2, .width = 262, .height = 146},
             ""},
        Case{"H264OpenGops", "a.mp4", {.encoder = "libx264", .options = kOpenGops}, ""},
        Case{"H264Cropped",
             "a.mkv",
             {.encoder = "libx264", .options = kOpenGops, .width = 250, .height = 138},
             ""},
        Case{"H264Interlaced",
             "a.mkv",
             {.encoder = "libx264",
              .options = {{"preset", "fast"},
                          {"x264-params", "tff=1:keyint=12:min-keyint=12:bframes=2:threads=1"}},
              .interlaced = true},
             ""},
        Case{"Hevc",
             "a.mkv",
             {.encoder = "libx265",
              .options = {{"preset", "fast"},
                          {"x265-params", "keyint=12:min-keyint=12:bframes=3:log-level=none"}}},
             ""},
        Case{"Hevc10",
             "a.mkv",
             {.encoder = "libx265",
              .options = {{"preset", "fast"},
                          {"x265-params", "keyint=12:min-keyint=12:bframes=3:log-level=none"}},
              .bit_depth = 10},
             ""}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace vsr::media
