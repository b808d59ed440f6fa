// What colour conversion and scaling are defined as here, against what FFmpeg's filters (zimg's
// zscale, and swscale) make of the same real picture. The kernels are held against the same
// definition in colour_test.cpp and lanczos_test.cpp.
#include "colour_reference.hpp"
#include "picture_memory.hpp"
#include "test_support.hpp"
#include "vsr/base/format.hpp"
#include "vsr/kernels/lanczos.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

using test::exact_sample;
using test::lanczos_scaled;
using test::PlanesOnHost;
using test::Rgb;
using test::rgb_at;
using test::sample_at;
using test::set_sample;

constexpr double kEqual_db = 200;
// What zscale must agree to: less than one sample of 8 bits in a hundred is another. Swscale's own
// arithmetic is coarser.
constexpr double kZscale_db = 75;
constexpr double kSwscale_db = 50;

double db_of(double mean_square, double peak) {
  return mean_square == 0 ? kEqual_db : 10 * std::log10(peak * peak / mean_square);
}

// Both cut off to 0..1, as no format of ours holds more.
double psnr_db(const Rgb& a, const Rgb& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = std::clamp(a.values[i], 0.0, 1.0) - std::clamp(b.values[i], 0.0, 1.0);
    sum += difference * difference;
  }
  return db_of(sum / static_cast<double>(a.values.size()), 1);
}

double psnr_db(const PictureView& a, const PictureView& b, int plane) {
  double sum = 0;
  const int width = plane_width(a.format, plane);
  const int height = plane_height(a.format, plane);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double difference = sample_at(a, plane, y, x) - sample_at(b, plane, y, x);
      sum += difference * difference;
    }
  }
  return db_of(sum / width / height, (1 << a.format.bit_depth) - 1);
}

PlanesOnHost rounded_planes(const Rgb& rgb,
                            const PictureFormat& format,
                            const ColourDescription& colour) {
  PlanesOnHost planes(format, 1, 0);
  planes.for_each([&](int plane, int y, int x) {
    set_sample(planes.view(),
               plane,
               y,
               x,
               static_cast<int>(std::nearbyint(exact_sample(rgb, format, colour, plane, y, x))));
  });
  return planes;
}

Rgb rgb_of(const PictureView& picture, const ColourDescription& colour) {
  Rgb rgb(picture.format.width, picture.format.height);
  for (int y = 0; y < rgb.height; ++y) {
    for (int x = 0; x < rgb.width; ++x) {
      const auto values = rgb_at(picture, colour, y, x);
      for (int c = 0; c < 3; ++c) rgb.at(c, y, x) = values[static_cast<std::size_t>(c)];
    }
  }
  return rgb;
}

Rgb scaled(const Rgb& rgb, int width, int height) {
  return lanczos_scaled(
      rgb, make_lanczos_table(rgb.width, width), make_lanczos_table(rgb.height, height));
}

std::string pixel_format(const PictureFormat& format) {
  const std::string text = to_string(format);  // "321x180 yuv420p10"
  return text.substr(text.find(' ') + 1) + (format.bit_depth > 8 ? "le" : "");
}

std::string zimg_matrix(Matrix matrix) {
  return matrix == Matrix::kBt601 ? "470bg" : matrix == Matrix::kBt709 ? "709" : "2020_ncl";
}

// A YUV format as zscale's words for what comes out of it, or (suffix "in") goes in.
std::string zscale_words(const ColourDescription& colour, const std::string& suffix) {
  return format("matrix{0}={1}:range{0}={2}:chromal{0}={3}",
                suffix,
                zimg_matrix(colour.matrix),
                colour.full_range ? "full" : "limited",
                to_string(colour.siting));
}

constexpr const char* kRgbIn = "matrixin=gbr:rangein=full";
constexpr const char* kRgbOut = "matrix=gbr:range=full";

class AgainstFfmpeg : public testing::Test {
 protected:
  void SetUp() override {
    const auto filters = vsr::test::run_process({"ffmpeg", "-hide_banner", "-filters"});
    if (filters.status != 0 || filters.output.find("zscale") == std::string::npos) {
      GTEST_SKIP() << "no ffmpeg with zscale on this machine";
    }
    const std::string clip =
        (vsr::test::source_dir() / "tests" / "data" / "reds_demo_000.mkv").string();
    rgb_ = read_rgb16(
        run({"-i", clip}, "zscale=matrix=gbr:range=full,format=gbrp16le", "gbrp16le"), 320, 180);
    rgb_file_ = next_file();
    std::ofstream file(rgb_file_, std::ios::binary);
    for (const int c : {1, 2, 0}) {
      for (int i = 0; i < rgb_.width * rgb_.height; ++i) {
        const auto value = static_cast<float>(rgb_.at(c, 0, i));
        file.write(reinterpret_cast<const char*>(&value), sizeof(value));
      }
    }
  }

  // One filter graph over a raw picture of the file.
  std::string filter(const std::string& from,
                     const PictureFormat& size,
                     const std::string& from_format,
                     const std::string& graph,
                     const std::string& to_format) {
    return run({"-f",
                "rawvideo",
                "-pix_fmt",
                from_format,
                "-s",
                format("{}x{}", size.width, size.height),
                "-i",
                from},
               graph + ",format=" + to_format,
               to_format);
  }

  // The picture of rgb_, in float.
  std::string filter_rgb(const std::string& graph, const std::string& to_format) {
    return filter(rgb_file_, {rgb_.width, rgb_.height}, "gbrpf32le", graph, to_format);
  }

  static std::vector<std::byte> read(const std::string& path) {
    std::vector<std::byte> bytes(std::filesystem::file_size(path));
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }

  static PlanesOnHost read_planes(const std::string& path, const PictureFormat& format) {
    PlanesOnHost planes(format, 1, 0);
    std::vector<std::byte> bytes = read(path);
    EXPECT_EQ(bytes.size(), packed_bytes(format)) << path;
    bytes.resize(packed_bytes(format));
    copy_picture(packed_view(format, bytes.data()), planes.view());
    return planes;
  }

  // FFmpeg's planar RGB comes as G, B, R.
  template <typename Value>
  static Rgb read_gbr(const std::string& path, int width, int height, double most) {
    Rgb rgb(width, height);
    const std::vector<std::byte> bytes = read(path);
    const auto pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    EXPECT_EQ(bytes.size(), 3 * pixels * sizeof(Value)) << path;
    const std::size_t place[] = {2, 0, 1};
    for (std::size_t i = 0; i < std::min(rgb.values.size(), bytes.size() / sizeof(Value)); ++i) {
      Value value{};
      std::memcpy(
          &value, &bytes[(place[i / pixels] * pixels + i % pixels) * sizeof(Value)], sizeof(Value));
      rgb.values[i] = static_cast<double>(value) / most;
    }
    return rgb;
  }

  static Rgb read_rgb16(const std::string& path, int width, int height) {
    return read_gbr<std::uint16_t>(path, width, height, 65535);
  }

  static Rgb read_rgb_float(const std::string& path, int width, int height) {
    return read_gbr<float>(path, width, height, 1);
  }

  // Prints and checks.
  static void expect_close(double db, const std::string& what, double at_least_db) {
    std::printf("%7.1f dB  %s\n", db, what.c_str());
    EXPECT_GE(db, at_least_db) << what;
  }

  std::string next_file() { return (folder_.path() / format("{}.raw", files_++)).string(); }

  Rgb rgb_{1, 1};
  std::string rgb_file_;

 private:
  std::string run(const std::vector<std::string>& input,
                  const std::string& graph,
                  const std::string& to_format) {
    // One thread: zscale cuts a picture into one slice a thread, and each slice's chroma ends at
    // its own edge as if the picture ended there (67 dB at 4:2:0, where whole pictures give 98).
    std::vector<std::string> command{"ffmpeg", "-v", "error", "-y", "-filter_threads", "1"};
    command.insert(command.end(), input.begin(), input.end());
    const std::string to = next_file();
    for (const std::string& word : std::vector<std::string>{
             "-vf", graph, "-frames:v", "1", "-pix_fmt", to_format, "-f", "rawvideo", to}) {
      command.push_back(word);
    }
    const auto result = vsr::test::run_process(command);
    EXPECT_EQ(result.status, 0) << graph << ": " << result.output;
    return to;
  }

  vsr::test::TemporaryFolder folder_;
  int files_ = 0;
};

struct Described {
  PictureFormat format;
  ColourDescription colour;

  std::string text() const {
    return format_text() + " " + to_string(colour.matrix) +
           (colour.full_range ? " full " : " limited ") + to_string(colour.siting);
  }

  std::string format_text() const { return to_string(format); }
};

std::vector<Described> some_formats() {
  const auto yuv = [](ChromaSubsampling subsampling, int depth, ColourDescription colour) {
    return Described{{320, 180, ColourModel::kYuv, subsampling, depth}, colour};
  };
  using enum ChromaSubsampling;
  return {yuv(k420, 8, {.matrix = Matrix::kBt601}),
          yuv(k420, 8, {.matrix = Matrix::kBt601, .full_range = true}),
          yuv(k420, 10, {.matrix = Matrix::kBt709, .siting = ChromaSiting::kCenter}),
          yuv(k420, 10, {.matrix = Matrix::kBt2020Ncl, .siting = ChromaSiting::kTopLeft}),
          yuv(k420, 12, {.matrix = Matrix::kBt709, .siting = ChromaSiting::kBottom}),
          yuv(k422, 8, {.matrix = Matrix::kBt601}),
          yuv(k422, 10, {.matrix = Matrix::kBt709}),
          yuv(k422, 16, {.matrix = Matrix::kBt709, .full_range = true}),
          yuv(k444, 10, {.matrix = Matrix::kBt709}),
          yuv(k444, 16, {.matrix = Matrix::kBt2020Ncl})};
}

TEST_F(AgainstFfmpeg, ZscaleConvertsColoursAlike) {
  for (const Described& given : some_formats()) {
    const std::string name = pixel_format(given.format);
    const std::string made = filter_rgb(
        format("zscale={}:{}:filter=bilinear:dither=none", kRgbIn, zscale_words(given.colour, "")),
        name);
    PlanesOnHost theirs = read_planes(made, given.format);
    PlanesOnHost ours = rounded_planes(rgb_, given.format, given.colour);
    for (int plane = 0; plane < 3; ++plane) {
      expect_close(psnr_db(ours.view(), theirs.view(), plane),
                   format("RGB to {}, plane {}", given.text(), plane),
                   kZscale_db);
    }
    const std::string back =
        filter(made,
               given.format,
               name,
               format("zscale={}:{}:filter=bilinear", zscale_words(given.colour, "in"), kRgbOut),
               "gbrpf32le");
    expect_close(psnr_db(rgb_of(theirs.view(), given.colour), read_rgb_float(back, 320, 180)),
                 format("{} to RGB", given.text()),
                 kZscale_db);
  }
}

TEST_F(AgainstFfmpeg, SwscaleConvertsColoursAlike) {
  for (const Described& given : some_formats()) {
    // Its words know these two matrices.
    if (given.colour.matrix == Matrix::kBt2020Ncl || given.format.bit_depth == 16) continue;
    if (given.colour.siting != ChromaSiting::kLeft) continue;
    // Positions in 256ths of a luma sample, of chroma that is halved.
    const std::string siting = given.format.subsampling == ChromaSubsampling::k444 ? ""
                               : given.format.subsampling == ChromaSubsampling::k422
                                   ? ":in_h_chr_pos=0"
                                   : ":in_h_chr_pos=0:in_v_chr_pos=128";
    const std::string name = pixel_format(given.format);
    PlanesOnHost ours = rounded_planes(rgb_, given.format, given.colour);
    const std::string file = next_file();
    std::vector<std::byte> packed(packed_bytes(given.format));
    copy_picture(ours.view(), packed_view(given.format, packed.data()));
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(packed.data()),
               static_cast<std::streamsize>(packed.size()));
    const std::string matrix = given.colour.matrix == Matrix::kBt601 ? "bt601" : "bt709";
    const std::string range = given.colour.full_range ? "full" : "limited";
    const std::string to_rgb =
        filter(file,
               given.format,
               name,
               format("scale=in_color_matrix={}:in_range={}:out_range=full{}:"
                      "flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp",
                      matrix,
                      range,
                      siting),
               "gbrp16le");
    expect_close(psnr_db(rgb_of(ours.view(), given.colour), read_rgb16(to_rgb, 320, 180)),
                 format("{} to RGB by swscale", given.text()),
                 kSwscale_db);
  }
}

TEST_F(AgainstFfmpeg, ZscaleScalesAlike) {
  constexpr int kSizes[][2] = {
      {267, 150}, {266, 150}, {160, 90}, {213, 120}, {100, 31}, {640, 360}, {483, 271}, {320, 150}};
  for (const auto& [width, height] : kSizes) {
    const std::string made =
        filter_rgb(format("zscale=w={}:h={}:filter=lanczos:{}:{}", width, height, kRgbIn, kRgbOut),
                   "gbrpf32le");
    expect_close(psnr_db(scaled(rgb_, width, height), read_rgb_float(made, width, height)),
                 format("RGB in float, 320x180 to {}x{}", width, height),
                 100);
  }
}

TEST_F(AgainstFfmpeg, ZscaleMakesTheSameFinalPicture) {
  // 6/5, as 4096x1728 to 3414x1440; chroma is made once, at the final size.
  for (const auto subsampling :
       {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
    const PictureFormat picture{266, 150, ColourModel::kYuv, subsampling, 10};
    const ColourDescription colour{.matrix = Matrix::kBt709};
    const std::string made =
        filter_rgb(format("zscale=w=266:h=150:filter=lanczos:{}:{},format=gbrp16le,zscale={}:{}:"
                          "filter=bilinear:dither=none",
                          kRgbIn,
                          kRgbOut,
                          kRgbIn,
                          zscale_words(colour, "")),
                   pixel_format(picture));
    PlanesOnHost theirs = read_planes(made, picture);
    PlanesOnHost ours = rounded_planes(scaled(rgb_, 266, 150), picture, colour);
    for (int plane = 0; plane < 3; ++plane) {
      expect_close(psnr_db(ours.view(), theirs.view(), plane),
                   format("320x180 RGB to {}, plane {}", to_string(picture), plane),
                   kZscale_db);
    }
    // The other way round, as from a mezzanine: planes of the full size, scaled each by itself.
    // Not the same picture (chroma is scaled where it already lacks detail), but hardly another.
    const PictureFormat full{320, 180, ColourModel::kYuv, ChromaSubsampling::k422, 10};
    const std::string mezzanine = filter_rgb(
        format("zscale={}:{}:filter=bilinear:dither=none", kRgbIn, zscale_words(colour, "")),
        pixel_format(full));
    const std::string later = filter(mezzanine,
                                     full,
                                     pixel_format(full),
                                     format("zscale=w=266:h=150:filter=lanczos:{}:{}:dither=none",
                                            zscale_words(colour, "in"),
                                            zscale_words(colour, "")),
                                     pixel_format(picture));
    PlanesOnHost scaled_later = read_planes(later, picture);
    for (int plane = 0; plane < 3; ++plane) {
      expect_close(psnr_db(ours.view(), scaled_later.view(), plane),
                   format("the same by way of {}, plane {}", to_string(full), plane),
                   40);
    }
  }
}

}  // namespace
}  // namespace vsr::kernels
