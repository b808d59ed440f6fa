// How two films share a picture: sizes, and the picture itself.
#include "vsr/assemble/comparison.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace vsr::assemble {

namespace {

constexpr int kMostAcross = 3840;
constexpr int kMostAcrossPicture = 32000;  // JPEG ends at 65535; and memory is not endless
constexpr int kLine = 2;                   // pixels between the halves

struct Size {
  int width = 0;
  int height = 0;
};

int even(double length) { return std::max(2, 2 * static_cast<int>(std::lround(length / 2))); }

// With square pixels and these lines, sides even.
Size shown_size(const media::VideoInfo& video, double height) {
  return {even(height * media::shown_aspect(video).to_double()), even(height)};
}

media::PictureForm form_for(ComparisonFile file) {
  media::PictureForm form;
  form.format.bit_depth = 8;
  if (is_video(file)) {
    form.colour = {.matrix = Matrix::kBt709, .primaries = 1, .transfer = 1};
  } else if (file == ComparisonFile::kPng) {
    form.format.model = ColourModel::kRgb;
    form.format.subsampling = ChromaSubsampling::k444;
    form.colour.full_range = true;
  } else {  // as JFIF has it
    form.format.subsampling = ChromaSubsampling::k444;
    form.colour = {.matrix = Matrix::kBt601, .full_range = true, .siting = ChromaSiting::kCenter};
  }
  return form;
}

struct Columns {
  int begin = 0;
  int end = 0;
};

// Of luma; chroma's follow. REQUIRES: even where chroma is subsampled.
void copy_columns(const PictureView& from,
                  const Columns& columns,
                  const MutablePictureView& into,
                  int into_begin) {
  for (int plane = 0; plane < plane_count(from.format); ++plane) {
    const auto p = static_cast<std::size_t>(plane);
    const int step = plane_width(from.format, plane) < from.format.width ? 2 : 1;
    for (int y = 0; y < plane_height(from.format, plane); ++y) {
      std::memcpy(into.planes[p] + y * into.pitch_bytes[p] + into_begin / step,
                  from.planes[p] + y * from.pitch_bytes[p] + columns.begin / step,
                  static_cast<std::size_t>((columns.end - columns.begin) / step));
    }
  }
}

// White.
void draw_line(const MutablePictureView& picture, int x, bool full_range) {
  for (int plane = 0; plane < plane_count(picture.format); ++plane) {
    const auto p = static_cast<std::size_t>(plane);
    const bool chroma = picture.format.model == ColourModel::kYuv && plane > 0;
    const int step = plane_width(picture.format, plane) < picture.format.width ? 2 : 1;
    const int light = full_range ? 255 : 235;
    for (int y = 0; y < plane_height(picture.format, plane); ++y) {
      std::memset(picture.planes[p] + y * picture.pitch_bytes[p] + x / step,
                  chroma ? 128 : light,
                  static_cast<std::size_t>(kLine / step));
    }
  }
}

}  // namespace

bool is_video(ComparisonFile file) {
  return file != ComparisonFile::kPng && file != ComparisonFile::kJpg;
}

ComparisonFile comparison_file(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::pair<const char*, ComparisonFile> kKnown[] = {{".mkv", ComparisonFile::kMkv},
                                                               {".mp4", ComparisonFile::kMp4},
                                                               {".mov", ComparisonFile::kMov},
                                                               {".png", ComparisonFile::kPng},
                                                               {".jpg", ComparisonFile::kJpg},
                                                               {".jpeg", ComparisonFile::kJpg}};
  for (const auto& [known, file] : kKnown) {
    if (extension == known) return file;
  }
  throw Error(ErrorCode::kUsage,
              format("{}: its name has to end in .mkv, .mp4 or .mov for a video, or .png or .jpg "
                     "for a picture",
                     path.string()));
}

std::pair<media::PictureForm, media::PictureForm> comparison_forms(const media::VideoInfo& a,
                                                                   const media::VideoInfo& b,
                                                                   ComparisonLayout layout,
                                                                   ComparisonFile file) {
  std::pair<media::PictureForm, media::PictureForm> forms{form_for(file), form_for(file)};
  Size of_a = shown_size(a, a.format.height);
  Size of_b = shown_size(b, b.format.height);
  if (layout == ComparisonLayout::kSplit) {
    const bool a_is_larger =
        std::int64_t{1} * of_a.width * of_a.height >= std::int64_t{1} * of_b.width * of_b.height;
    of_a = of_b = a_is_larger ? of_a : of_b;
  } else {
    double height = std::max(of_a.height, of_b.height);
    const double across = media::shown_aspect(a).to_double() + media::shown_aspect(b).to_double();
    // Rounding to even widths may add a column to each.
    const int most = is_video(file) ? kMostAcross : kMostAcrossPicture;
    height = std::min(height, (most - 2) / across);
    of_a = shown_size(a, height);
    of_b = shown_size(b, height);
  }
  forms.first.format.width = of_a.width;
  forms.first.format.height = of_a.height;
  forms.second.format.width = of_b.width;
  forms.second.format.height = of_b.height;
  return forms;
}

PictureFormat composed_format(const PictureFormat& a,
                              const PictureFormat& b,
                              ComparisonLayout layout) {
  PictureFormat format = a;
  if (layout == ComparisonLayout::kSide) format.width += b.width;
  return format;
}

void compose(const PictureView& a,
             const PictureView& b,
             ComparisonLayout layout,
             bool full_range,
             const MutablePictureView& into) {
  if (layout == ComparisonLayout::kSide) {
    copy_columns(a, {0, a.format.width}, into, 0);
    copy_columns(b, {0, b.format.width}, into, a.format.width);
    return;
  }
  const int middle = a.format.width / 4 * 2;
  copy_columns(a, {0, middle}, into, 0);
  copy_columns(b, {middle, b.format.width}, into, middle);
  // Half of it on either side, between two samples of chroma.
  draw_line(into, std::max(0, (middle - kLine / 2) / 2 * 2), full_range);
}

}  // namespace vsr::assemble
