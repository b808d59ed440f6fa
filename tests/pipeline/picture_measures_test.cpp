#include "vsr/pipeline/picture_measures.hpp"

#include "test_support.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace vsr::pipeline {
namespace {

// A picture with memory of its own, rows further apart than they are long.
class Picture {
 public:
  explicit Picture(const PictureFormat& format) : format_(format) {
    for (int plane = 0; plane < plane_count(format); ++plane) {
      memory_[static_cast<std::size_t>(plane)].resize(
          static_cast<std::size_t>(pitch(plane) * plane_height(format, plane)));
    }
  }

  explicit Picture(const PictureView& picture) : Picture(picture.format) {
    copy_picture(picture, view());
  }

  MutablePictureView view() {
    MutablePictureView view{.format = format_};
    for (int plane = 0; plane < plane_count(format_); ++plane) {
      const auto p = static_cast<std::size_t>(plane);
      view.planes[p] = memory_[p].data();
      view.pitch_bytes[p] = pitch(plane);
    }
    return view;
  }

  int at(int plane, int x, int y) {
    const std::byte* row = view().planes[static_cast<std::size_t>(plane)] + y * pitch(plane);
    return bytes_per_sample(format_) == 2 ? reinterpret_cast<const std::uint16_t*>(row)[x]
                                          : std::to_integer<int>(row[x]);
  }

  void set(int plane, int x, int y, int value) {
    std::byte* row = view().planes[static_cast<std::size_t>(plane)] + y * pitch(plane);
    if (bytes_per_sample(format_) == 2) {
      reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(value);
    } else {
      row[x] = static_cast<std::byte>(value);
    }
  }

  const PictureFormat& format() const { return format_; }

 private:
  std::ptrdiff_t pitch(int plane) const {
    return (plane_width(format_, plane) + 6) * bytes_per_sample(format_);
  }

  PictureFormat format_;
  std::array<std::vector<std::byte>, 3> memory_;
};

// Waves with some noise, never out of range.
Picture random_picture(const PictureFormat& format, unsigned seed) {
  std::mt19937 random(seed);
  Picture picture(format);
  for (int plane = 0; plane < plane_count(format); ++plane) {
    for (int y = 0; y < plane_height(format, plane); ++y) {
      for (int x = 0; x < plane_width(format, plane); ++x) {
        const double wave = std::sin(0.21 * x + 0.4 * plane) * std::cos(0.13 * y + plane) * 0.15;
        const double noise = static_cast<double>(random() % 1000) / 1000 * 0.1;
        picture.set(plane, x, y, static_cast<int>((0.45 + wave + noise) * (1 << format.bit_depth)));
      }
    }
  }
  return picture;
}

// --- a slow reference: samples are looked up where the formulas of a picture say they are
// ---------

struct Weights {
  double red, blue;
};

Weights weights_of(Matrix matrix) {
  if (matrix == Matrix::kBt601) return {0.299, 0.114};
  if (matrix == Matrix::kBt2020Ncl) return {0.2627, 0.0593};
  return {0.2126, 0.0722};
}

using Rgb = std::array<double, 3>;

class Reference {
 public:
  Reference(Picture& picture, const ColourDescription& colour)
      : picture_(picture), colour_(colour) {}

  bool is_chroma(int plane) const {
    return plane > 0 && picture_.format().model == ColourModel::kYuv;
  }

  // 0..1, of chroma -1/2..1/2.
  double value(int plane, int x, int y) {
    const PictureFormat& format = picture_.format();
    x = std::clamp(x, 0, plane_width(format, plane) - 1);
    y = std::clamp(y, 0, plane_height(format, plane) - 1);
    const double sample = picture_.at(plane, x, y);
    const double unit = 1 << (format.bit_depth - 8);
    const bool full = colour_.full_range || format.model == ColourModel::kRgb;
    const double most = (1 << format.bit_depth) - 1;
    if (is_chroma(plane)) return (sample - 128 * unit) / (full ? most : 224 * unit);
    return full ? sample / most : (sample - 16 * unit) / (219 * unit);
  }

  // Luma's places (pixels cover [i, i + 1)) in samples of a plane, where sample i is at i.
  double across(int plane, double x) const {
    const PictureFormat& format = picture_.format();
    if (!is_chroma(plane) || format.subsampling == ChromaSubsampling::k444) return x - 0.5;
    const bool left = colour_.siting == ChromaSiting::kLeft;
    return (x - 0.5 - (left ? 0 : 0.5)) / 2;
  }

  double down(int plane, double y) const {
    const bool halved =
        is_chroma(plane) && picture_.format().subsampling == ChromaSubsampling::k420;
    return halved ? (y - 1) / 2 : y - 0.5;
  }

  // Made up between samples by a kernel of so many to each side.
  double between(
      int plane, double x, double y, int reach, const std::function<double(double)>& kernel) {
    const double left = across(plane, x);
    const double top = down(plane, y);
    double sum = 0;
    for (int v = static_cast<int>(std::floor(top)) - reach + 1; v <= std::floor(top) + reach; ++v) {
      for (int u = static_cast<int>(std::floor(left)) - reach + 1; u <= std::floor(left) + reach;
           ++u) {
        sum += kernel(left - u) * kernel(top - v) * value(plane, u, v);
      }
    }
    return sum;
  }

  double linear(int plane, double x, double y) {
    return between(plane, x, y, 1, [](double d) { return std::max(0.0, 1 - std::abs(d)); });
  }

  double cubic(int plane, double x, double y) {
    return between(plane, x, y, 2, [](double d) {
      d = std::abs(d);
      if (d <= 1) return 1.5 * d * d * d - 2.5 * d * d + 1;
      return d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2 : 0;
    });
  }

  // The mean over a piece of the picture, by many points of it.
  double mean(int plane, double x, double y, double width, double height) {
    constexpr int kPoints = 32;
    double sum = 0;
    for (int v = 0; v < kPoints; ++v) {
      for (int u = 0; u < kPoints; ++u) {
        const double at_x = across(plane, x + (u + 0.5) * width / kPoints);
        const double at_y = down(plane, y + (v + 0.5) * height / kPoints);
        sum += value(plane,
                     static_cast<int>(std::floor(at_x + 0.5)),
                     static_cast<int>(std::floor(at_y + 0.5)));
      }
    }
    return sum / (kPoints * kPoints);
  }

  Rgb rgb(const Rgb& planes) const {
    const ColourModel model = picture_.format().model;
    if (model == ColourModel::kRgb) return planes;
    if (model == ColourModel::kGray) return {planes[0], planes[0], planes[0]};
    const auto [red, blue] = weights_of(colour_.matrix);
    const double r = planes[0] + 2 * (1 - red) * planes[2];
    const double b = planes[0] + 2 * (1 - blue) * planes[1];
    return {r, (planes[0] - red * r - blue * b) / (1 - red - blue), b};
  }

  double luma(const Rgb& rgb) const {
    const auto [red, blue] = weights_of(colour_.matrix);
    return red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2];
  }

  // Of a picture of width x height, one pixel.
  double cubic_luma(int x, int y, int width, int height) {
    const PictureFormat& format = picture_.format();
    Rgb planes{};
    for (int plane = 0; plane < plane_count(format); ++plane) {
      planes[static_cast<std::size_t>(plane)] =
          cubic(plane, (x + 0.5) * format.width / width, (y + 0.5) * format.height / height);
    }
    return format.model == ColourModel::kRgb ? luma(planes) : planes[0];
  }

  double sharpness(int width, int height) {
    const int rows = std::min(96, height - 1);
    double sum = 0;
    for (int i = 0; i < rows; ++i) {
      const int y = (2 * i + 1) * (height - 1) / (2 * rows);
      for (int x = 0; x + 1 < width; ++x) {
        const double here = cubic_luma(x, y, width, height);
        sum += std::pow(cubic_luma(x + 1, y, width, height) - here, 2) +
               std::pow(cubic_luma(x, y + 1, width, height) - here, 2);
      }
    }
    return std::sqrt(sum / (rows * (width - 1.0)));
  }

 private:
  Picture& picture_;
  ColourDescription colour_;
};

struct Case {
  PictureFormat source;
  PictureFormat upscaled;
  bool full_range = false;
  ChromaSiting siting = ChromaSiting::kLeft;
};

class Measures : public ::testing::TestWithParam<Case> {};

TEST_P(Measures, AreThoseOfASlowReference) {
  const Case& given = GetParam();
  Picture source = random_picture(given.source, 1);
  Picture upscaled = random_picture(given.upscaled, 2);
  ColourDescription from{.matrix = Matrix::kBt601, .siting = given.siting};
  ColourDescription to{.matrix = Matrix::kBt709, .full_range = given.full_range};
  const PictureMeasures found = measure_picture({source.view(), from}, {upscaled.view(), to});
  Reference small(source, from);
  Reference large(upscaled, to);
  const PictureFormat& low = given.source;
  const PictureFormat& high = given.upscaled;
  const double ratio_x = static_cast<double>(high.width) / low.width;
  const double ratio_y = static_cast<double>(high.height) / low.height;
  double square = 0;
  double luma = 0;
  for (int y = 0; y < low.height; ++y) {
    for (int x = 0; x < low.width; ++x) {
      Rgb planes{};
      for (int p = 0; p < plane_count(low); ++p) {
        planes[static_cast<std::size_t>(p)] = small.linear(p, x + 0.5, y + 0.5);
      }
      const Rgb wanted = small.rgb(planes);
      planes = {};
      for (int p = 0; p < plane_count(high); ++p) {
        planes[static_cast<std::size_t>(p)] =
            ratio_x > 1 ? large.mean(p, x * ratio_x, y * ratio_y, ratio_x, ratio_y)
                        : large.linear(p, x + 0.5, y + 0.5);
      }
      const Rgb is = large.rgb(planes);
      luma += large.luma(is);
      for (std::size_t i = 0; i < 3; ++i) {
        square += std::pow(std::clamp(wanted[i], 0.0, 1.0) - std::clamp(is[i], 0.0, 1.0), 2);
      }
    }
  }
  const double pixels = low.width * low.height;
  EXPECT_NEAR(found.back_projection_db, -10 * std::log10(square / (3 * pixels)), 0.02);
  EXPECT_NEAR(found.luma_mean, luma / pixels, 1e-3);
  const double sharpness = large.sharpness(high.width, high.height);
  EXPECT_NEAR(found.sharpness, sharpness, 1e-4 * sharpness);
  const double bicubic = small.sharpness(high.width, high.height);
  EXPECT_NEAR(found.sharpness_gain, sharpness / bicubic, 1e-3 * sharpness / bicubic);
  const PictureMeasures alone = measure_picture({upscaled.view(), to});
  EXPECT_EQ(alone.sharpness, found.sharpness);
  EXPECT_NEAR(alone.luma_mean, found.luma_mean, 1e-3);
  EXPECT_TRUE(std::isnan(alone.back_projection_db));
}

constexpr ColourModel kYuv = ColourModel::kYuv;
constexpr ColourModel kRgb = ColourModel::kRgb;
constexpr ColourModel kGray = ColourModel::kGray;
constexpr ChromaSubsampling k420 = ChromaSubsampling::k420;
constexpr ChromaSubsampling k422 = ChromaSubsampling::k422;
constexpr ChromaSubsampling k444 = ChromaSubsampling::k444;

INSTANTIATE_TEST_SUITE_P(
    Formats,
    Measures,
    ::testing::Values(
        Case{{24, 18, kYuv, k420, 8}, {96, 72, kYuv, k422, 10}},
        Case{{24, 18, kYuv, k420, 8}, {96, 72, kYuv, k422, 10}, true, ChromaSiting::kCenter},
        Case{{23, 17, kYuv, k420, 8}, {92, 68, kYuv, k420, 8}},    // odd, and 8 bits made
        Case{{23, 17, kYuv, k422, 10}, {23, 17, kYuv, k422, 12}},  // a network of scale 1
        Case{{24, 18, kYuv, k444, 16}, {80, 60, kYuv, k422, 10}},  // made smaller: 10 / 3
        Case{{21, 15, kRgb, k444, 8}, {84, 60, kRgb, k444, 16}},
        Case{{21, 15, kGray, k420, 9}, {84, 60, kYuv, k444, 10}}));

// --- mistakes on a real clip ---------------------------------------------------------------------

// The clip, and the same four times as large by ffmpeg, softly: the pictures of some upscaler.
class RealClip : public ::testing::Test {
 protected:
  static constexpr int kFrames = 8;

  // `noise`: grain that the source has and the upscaled pictures have not.
  void make(int noise) {
    const auto clip = (test::source_dir() / "tests/data/reds_demo_000.mkv").string();
    const auto grain = "noise=alls=" + std::to_string(noise) + ":allf=t:all_seed=7,";
    source_ = read("source.mkv", clip, grain + "format=yuv420p");
    upscaled_ = read("upscaled.mkv", clip, "scale=1280:720:flags=bicubic,format=yuv422p10le");
    ASSERT_EQ(source_.size(), static_cast<std::size_t>(kFrames));
    ASSERT_EQ(upscaled_.size(), static_cast<std::size_t>(kFrames));
  }

  PictureMeasures measure(int frame, int shown, const ColourDescription& said) {
    return measure_picture({source_[static_cast<std::size_t>(frame)].view(), colour_},
                           {upscaled_[static_cast<std::size_t>(shown)].view(), said});
  }

  double distance(const PictureMeasures& found, int frame) {
    return mean_square_difference(found.projected,
                                  sample_luma(source_[static_cast<std::size_t>(frame)].view()));
  }

  std::vector<Picture> source_;
  std::vector<Picture> upscaled_;
  ColourDescription colour_;

 private:
  std::vector<Picture> read(const std::string& name,
                            const std::string& clip,
                            const std::string& filters) {
    const auto path = folder_.path() / name;
    const auto made = test::run_process({"ffmpeg",
                                         "-y",
                                         "-v",
                                         "error",
                                         "-i",
                                         clip,
                                         "-frames:v",
                                         std::to_string(kFrames),
                                         "-vf",
                                         filters,
                                         "-c:v",
                                         "ffv1",
                                         path.string()});
    EXPECT_EQ(made.status, 0) << made.output;
    const media::Timeline timeline = media::plan_timeline(media::probe(path), {}).timeline;
    EXPECT_EQ(timeline.colour.matrix, Matrix::kBt709);
    colour_ = timeline.colour;
    media::FrameReader reader(timeline, 0, 1);
    std::vector<Picture> pictures;
    PictureView picture;
    while (reader.read(picture)) pictures.emplace_back(picture);
    return pictures;
  }

  test::TemporaryFolder folder_;
};

TEST_F(RealClip, GoodPicturesFitAndEachMistakeIsFound) {
  for (const int noise : {0, 14}) {
    SCOPED_TRACE(noise);
    make(noise);
    for (int frame = 0; frame < kFrames; ++frame) {
      const PictureMeasures good = measure(frame, frame, colour_);
      EXPECT_EQ(good.colours_fit, "") << frame;
      EXPECT_GT(good.back_projection_db, noise == 0 ? 34 : 27) << frame;
      ColourDescription wrong = colour_;
      wrong.matrix = Matrix::kBt601;
      EXPECT_EQ(measure(frame, frame, wrong).colours_fit, "bt601 and bt709 mixed up") << frame;
      wrong = colour_;
      wrong.full_range = true;
      EXPECT_EQ(measure(frame, frame, wrong).colours_fit, "full and limited range mixed up");
    }
  }
}

TEST_F(RealClip, SwappedChannelsAreFound) {
  make(14);
  MutablePictureView swapped = upscaled_[3].view();
  std::swap(swapped.planes[1], swapped.planes[2]);
  const PictureMeasures found = measure_picture({source_[3].view(), colour_}, {swapped, colour_});
  EXPECT_EQ(found.colours_fit, "Cb and Cr swapped");
  EXPECT_LT(found.back_projection_db, 25);
}

// A shift shows the next frame in every place, a doubled one the frame before.
TEST_F(RealClip, AnotherFrameIsNearerToItsOwn) {
  make(14);
  for (int frame = 1; frame + 1 < kFrames; ++frame) {
    for (const int shown : {frame - 1, frame, frame + 1}) {
      const PictureMeasures found = measure(frame, shown, colour_);
      for (const int other : {frame - 1, frame, frame + 1}) {
        if (other == shown) continue;
        EXPECT_LT(distance(found, shown), 0.7 * distance(found, other))
            << shown << " in the place of " << frame << ", beside " << other;
      }
    }
  }
}

}  // namespace
}  // namespace vsr::pipeline
