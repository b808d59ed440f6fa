// Colour conversion: there and back, and against what ffmpeg's filters make of the same picture.
#include "reference/colour.hpp"

#include "reference/device.hpp"
#include "reference_support.hpp"
#include "test_support.hpp"
#include "vsr/base/format.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace vsr::model::reference {
namespace {

double psnr_db(const at::Tensor& a, const at::Tensor& b, double peak) {
  const double mean = (a.to(at::kDouble) - b.to(at::kDouble)).pow(2).mean().item<double>();
  return mean == 0 ? 200 : 10 * std::log10(peak * peak / mean);
}

// A picture of smooth colour, well inside the RGB cube.
at::Tensor smooth_rgb(std::int64_t height, std::int64_t width) {
  std::vector<float> values;
  for (int c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        values.push_back(
            static_cast<float>(0.5 + 0.15 * std::sin(0.031 * static_cast<double>(x) + c) +
                               0.15 * std::cos(0.027 * static_cast<double>(y) - 2 * c)));
      }
    }
  }
  return at::from_blob(values.data(), {1, 3, height, width}, at::kFloat).clone();
}

struct Conversion {
  PictureFormat format;
  ColourDescription colour;
};

std::string to_string(const Conversion& conversion) {
  return format("{} {} {} {}",
                vsr::to_string(conversion.format),
                vsr::to_string(conversion.colour.matrix),
                conversion.colour.full_range ? "full" : "limited",
                vsr::to_string(conversion.colour.siting));
}

std::vector<Conversion> conversions(int width, int height) {
  std::vector<Conversion> made;
  for (const auto matrix :
       {Matrix::kBt601, Matrix::kBt709, Matrix::kBt2020Ncl, Matrix::kSmpte240m, Matrix::kFcc}) {
    for (const bool full : {false, true}) {
      for (const auto subsampling :
           {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
        for (const int depth : {8, 10, 16}) {
          const bool many = matrix == Matrix::kBt709 && subsampling == ChromaSubsampling::k420;
          for (const auto siting : {ChromaSiting::kLeft,
                                    ChromaSiting::kCenter,
                                    ChromaSiting::kTopLeft,
                                    ChromaSiting::kTop,
                                    ChromaSiting::kBottomLeft,
                                    ChromaSiting::kBottom}) {
            if (siting != ChromaSiting::kLeft && !many) continue;
            made.push_back({{width, height, ColourModel::kYuv, subsampling, depth},
                            {.matrix = matrix, .full_range = full, .siting = siting}});
          }
        }
      }
    }
  }
  return made;
}

class Colour : public ::testing::Test {
 protected:
  Compute compute_ = make_compute({}, Precision::kFp32, 0);
  ComputeScope scope_{compute_};
};

TEST_F(Colour, RgbToYuvAndBackKeepsASmoothPicture) {
  for (const Conversion& conversion : conversions(81, 47)) {
    const auto& [format, colour] = conversion;
    const at::Tensor rgb = smooth_rgb(format.height, format.width);
    const Planes planes = rgb_to_planes(rgb, format, colour);
    ASSERT_EQ(planes.size(), 3u);
    for (int i = 0; i < 3; ++i) {
      const at::Tensor& plane = planes[static_cast<std::size_t>(i)];
      EXPECT_EQ(plane.size(0), plane_height(format, i));
      EXPECT_EQ(plane.size(1), plane_width(format, i));
      EXPECT_EQ(plane.scalar_type(), sample_type(format));
    }
    EXPECT_GT(psnr_db(planes_to_rgb(planes, format, colour), rgb, 1), 48) << to_string(conversion);
  }
}

TEST_F(Colour, YuvToRgbToYuvIsTheIdentityAtFullChroma) {
  for (const Conversion& conversion : conversions(40, 30)) {
    const auto& [format, colour] = conversion;
    if (format.subsampling != ChromaSubsampling::k444) continue;
    const Planes planes = rgb_to_planes(smooth_rgb(30, 40), format, colour);
    const Planes again = rgb_to_planes(planes_to_rgb(planes, format, colour), format, colour);
    for (std::size_t i = 0; i < 3; ++i) {
      // 16 bits are at the edge of what fp32 tells apart.
      const at::Tensor difference =
          (planes[i].to(at::kInt) - again[i].to(at::kInt)).bitwise_and(0xffff);
      const at::Tensor distance = at::stack({difference, 0x10000 - difference}).amin(0);
      EXPECT_LE(distance.max().item<int>(), format.bit_depth == 16 ? 1 : 0)
          << to_string(conversion) << " plane " << i;
    }
  }
}

TEST_F(Colour, ReferenceLevels) {
  const PictureFormat format{2, 2, ColourModel::kYuv, ChromaSubsampling::k444, 10};
  const ColourDescription limited{.matrix = Matrix::kBt709};
  const auto samples = [&](double r, double g, double b, const ColourDescription& colour) {
    const at::Tensor rgb = at::cat(
        {at::full({1, 1, 2, 2}, r), at::full({1, 1, 2, 2}, g), at::full({1, 1, 2, 2}, b)}, 1);
    std::vector<int> values;
    for (const at::Tensor& plane : rgb_to_planes(rgb, format, colour)) {
      values.push_back(plane[0][0].item<int>());
    }
    return values;
  };
  EXPECT_EQ(samples(0, 0, 0, limited), (std::vector<int>{64, 512, 512}));
  EXPECT_EQ(samples(1, 1, 1, limited), (std::vector<int>{940, 512, 512}));
  EXPECT_EQ(samples(1, 0, 0, limited), (std::vector<int>{250, 409, 960}));
  EXPECT_EQ(samples(0, 0, 1, limited), (std::vector<int>{127, 960, 471}));
  ColourDescription full = limited;
  full.full_range = true;
  EXPECT_EQ(samples(1, 1, 1, full), (std::vector<int>{1023, 512, 512}));
  // Beyond the cube: clamped, not wrapped.
  EXPECT_EQ(samples(2, 2, 2, full), (std::vector<int>{1023, 512, 512}));
  EXPECT_EQ(samples(-1, -1, -1, limited), (std::vector<int>{64, 512, 512}));
}

TEST_F(Colour, GrayAndRgbThereAndBack) {
  const at::Tensor rgb = smooth_rgb(9, 7);
  for (const int depth : {8, 10, 12, 16}) {
    const PictureFormat format{7, 9, ColourModel::kRgb, ChromaSubsampling::k444, depth};
    const ColourDescription colour{.full_range = true};
    EXPECT_LT(test::max_difference(
                  planes_to_rgb(rgb_to_planes(rgb, format, colour), format, colour), rgb),
              0.51 / ((1 << depth) - 1) + 1e-6);
    const PictureFormat gray{7, 9, ColourModel::kGray, ChromaSubsampling::k420, depth};
    const at::Tensor luma = planes_to_rgb(rgb_to_planes(rgb, gray, colour), gray, colour);
    EXPECT_EQ(test::max_difference(luma.narrow(1, 0, 1), luma.narrow(1, 2, 1)), 0);
    const at::Tensor expected =
        rgb.narrow(1, 0, 1) * 0.2126 + rgb.narrow(1, 1, 1) * 0.7152 + rgb.narrow(1, 2, 1) * 0.0722;
    EXPECT_LT(test::max_difference(luma.narrow(1, 1, 1), expected),
              0.51 / ((1 << depth) - 1) + 1e-6);
  }
}

// --- against ffmpeg --------------------------------------------------------------------------

std::string pixel_format(const PictureFormat& format) {
  const std::string text = vsr::to_string(format);  // "321x180 yuv420p10"
  return text.substr(text.find(' ') + 1) + (format.bit_depth > 8 ? "le" : "");
}

std::string zimg_matrix(Matrix matrix) {
  switch (matrix) {
    case Matrix::kBt601:
      return "470bg";
    case Matrix::kBt709:
      return "709";
    case Matrix::kBt2020Ncl:
      return "2020_ncl";
    case Matrix::kSmpte240m:
      return "240m";
    case Matrix::kFcc:
      return "fcc";
  }
  return "";
}

class ColourAgainstZimg : public Colour {
 protected:
  void SetUp() override {
    const auto filters = vsr::test::run_process({"ffmpeg", "-hide_banner", "-filters"});
    if (filters.status != 0 || filters.output.find("zscale") == std::string::npos) {
      GTEST_SKIP() << "no ffmpeg with zscale on this machine";
    }
    clip_ = vsr::test::source_dir() / "tests" / "data" / "reds_demo_000.mkv";
  }

  // Runs one ffmpeg filter graph over a raw picture, or over the clip's first where `from` is
  // empty.
  std::string filter(const std::string& from,
                     const std::string& from_format,
                     const std::string& graph,
                     const std::string& to_format) {
    std::vector<std::string> command{"ffmpeg", "-v", "error", "-y"};
    if (from.empty()) {
      command.insert(command.end(), {"-i", clip_.string()});
    } else {
      command.insert(command.end(),
                     {"-f", "rawvideo", "-pix_fmt", from_format, "-s", size_, "-i", from});
    }
    const std::string to = (folder_.path() / format("{}.raw", next_++)).string();
    command.insert(command.end(),
                   {"-vf", graph, "-frames:v", "1", "-pix_fmt", to_format, "-f", "rawvideo", to});
    const auto result = vsr::test::run_process(command);
    EXPECT_EQ(result.status, 0) << graph << ": " << result.output;
    return to;
  }

  static Planes read_planes(const std::string& path, const PictureFormat& format) {
    std::ifstream file(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(bytes.size(), packed_bytes(format)) << path;
    bytes.resize(packed_bytes(format));
    Planes planes;
    std::size_t at = 0;
    for (int i = 0; i < plane_count(format); ++i) {
      const std::int64_t rows = plane_height(format, i);
      const std::int64_t columns = plane_width(format, i);
      planes.push_back(
          at::from_blob(bytes.data() + at, {rows, columns}, sample_type(format)).clone());
      at += static_cast<std::size_t>(rows * columns * bytes_per_sample(format));
    }
    return planes;
  }

  // ffmpeg's planar RGB comes as G, B, R.
  static at::Tensor read_gbr(const std::string& path, int width, int height) {
    const Planes planes =
        read_planes(path, {width, height, ColourModel::kRgb, ChromaSubsampling::k444, 16});
    std::vector<at::Tensor> rgb;
    for (const std::size_t i : {2, 0, 1}) {
      rgb.push_back(planes[i].to(at::kInt).bitwise_and(0xffff).to(at::kFloat) / 65535.0);
    }
    return at::stack(rgb).unsqueeze(0);
  }

  vsr::test::TemporaryFolder folder_;
  std::filesystem::path clip_;
  std::string size_ = "320x180";
  int next_ = 0;
};

TEST_F(ColourAgainstZimg, BothWaysForEveryFormat) {
  // A real picture as 16-bit RGB, from which everything else is made.
  const std::string start =
      filter("", "", "zscale=matrix=gbr:range=full,format=gbrp16le", "gbrp16le");
  const at::Tensor rgb = read_gbr(start, 320, 180);
  for (const auto matrix : {Matrix::kBt601, Matrix::kBt709, Matrix::kBt2020Ncl}) {
    for (const bool full : {false, true}) {
      for (const auto subsampling :
           {ChromaSubsampling::k420, ChromaSubsampling::k422, ChromaSubsampling::k444}) {
        for (const int depth : {8, 10}) {
          for (const auto siting :
               {ChromaSiting::kLeft, ChromaSiting::kCenter, ChromaSiting::kTopLeft}) {
            if (siting != ChromaSiting::kLeft && subsampling != ChromaSubsampling::k420) continue;
            // The other matrices differ in three numbers alone: 8-bit 4:2:0 and 10-bit 4:2:2 will
            // do.
            const bool usual = siting == ChromaSiting::kLeft &&
                               (depth == 8 ? subsampling == ChromaSubsampling::k420
                                           : subsampling == ChromaSubsampling::k422);
            if (matrix != Matrix::kBt709 && !usual) continue;
            const PictureFormat picture{320, 180, ColourModel::kYuv, subsampling, depth};
            const ColourDescription colour{.matrix = matrix, .full_range = full, .siting = siting};
            const std::string what = to_string(Conversion{picture, colour});
            const std::string name = pixel_format(picture);
            const std::string range = full ? "full" : "limited";
            const std::string location = vsr::to_string(siting);
            const std::string to_yuv = format(
                "zscale=matrixin=gbr:rangein=full:matrix={}:range={}:chromal={}:"
                "filter=bilinear,format={}",
                zimg_matrix(matrix),
                range,
                location,
                name);
            const std::string yuv = filter(start, "gbrp16le", to_yuv, name);
            const Planes theirs = read_planes(yuv, picture);
            const Planes ours = rgb_to_planes(rgb, picture, colour);
            for (std::size_t i = 0; i < 3; ++i) {
              EXPECT_GE(psnr_db(ours[i], theirs[i], (1 << depth) - 1), 50)
                  << "to " << what << " plane " << i;
            }
            const std::string to_rgb = format(
                "zscale=matrixin={}:rangein={}:chromalin={}:matrix=gbr:range=full:"
                "filter=bilinear,format=gbrp16le",
                zimg_matrix(matrix),
                range,
                location);
            const at::Tensor back = read_gbr(filter(yuv, name, to_rgb, "gbrp16le"), 320, 180);
            EXPECT_GE(psnr_db(planes_to_rgb(theirs, picture, colour).clamp(0, 1), back, 1), 50)
                << "from " << what;
          }
        }
      }
    }
  }
}

TEST_F(ColourAgainstZimg, SwscaleAgreesAtFullChroma) {
  for (const auto& [matrix, name] :
       {std::pair{Matrix::kBt601, "bt601"}, std::pair{Matrix::kBt709, "bt709"}}) {
    const PictureFormat picture{320, 180, ColourModel::kYuv, ChromaSubsampling::k444, 8};
    const ColourDescription colour{.matrix = matrix};
    const std::string start = filter("", "", "format=yuv444p", "yuv444p");
    const std::string graph = format(
        "scale=in_color_matrix={}:in_range=limited:out_range=full:"
        "flags=accurate_rnd+full_chroma_int,format=gbrp16le",
        name);
    const at::Tensor theirs = read_gbr(filter(start, "yuv444p", graph, "gbrp16le"), 320, 180);
    const at::Tensor ours = planes_to_rgb(read_planes(start, picture), picture, colour);
    EXPECT_GE(psnr_db(ours.clamp(0, 1), theirs, 1), 50) << name;
  }
}

}  // namespace
}  // namespace vsr::model::reference
