#include "previews.hpp"

#include "resample.hpp"
#include "vsr/media/jpeg.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vsr::pipeline {

namespace {

constexpr double kLongestSide = 1280;
constexpr int kDetailWidth = 800;
constexpr int kDetailHeight = 450;
constexpr std::size_t kMostBytes = 120'000;  // of a JPEG

struct Size {
  int width = 0;
  int height = 0;
};

Size preview_size(const PictureFormat& format, const Rational& sample_aspect) {
  const double width = format.width * sample_aspect.to_double();
  const double scale = std::min(1.0, kLongestSide / std::max<double>(width, format.height));
  return {std::max(1, static_cast<int>(std::lround(width * scale))),
          std::max(1, static_cast<int>(std::lround(format.height * scale)))};
}

std::string jpeg_of(const ColouredPicture& picture, const Region& region, const Size& size) {
  const RgbPicture rgb =
      resample(picture.view, picture.colour, region, size.width, size.height, Enlarge::kCubic);
  const PictureFormat format{
      size.width, size.height, ColourModel::kRgb, ChromaSubsampling::k444, 8};
  std::vector<std::byte> memory(packed_bytes(format));
  auto* to = memory.data();
  for (const std::vector<float>& plane : rgb.planes) {
    for (const float value : plane) {
      *to++ = static_cast<std::byte>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255));
    }
  }
  return media::encode_jpeg(packed_view(format, memory.data()), kMostBytes);
}

// Sums of how steep luma is above and to the left of each place, (width + 1) a row.
std::vector<double> steepness_sums(const ColouredPicture& picture) {
  const int width = picture.view.format.width;
  const int height = picture.view.format.height;
  LumaRows luma(picture.view, picture.colour, width, height, Enlarge::kLinear);
  const auto stride = static_cast<std::size_t>(width) + 1;
  std::vector<double> sums(stride * (static_cast<std::size_t>(height) + 1));
  std::vector<float> above;
  std::vector<float> row;
  luma.read(0, above);
  for (int y = 0; y < height; ++y) {
    luma.read(y, row);
    double line = 0;
    for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
      const double right = x > 0 ? row[x] - row[x - 1] : 0;
      const double down = row[x] - above[x];
      line += right * right + down * down;
      const std::size_t place = (static_cast<std::size_t>(y) + 1) * stride + x + 1;
      sums[place] = sums[place - stride] + line;
    }
    std::swap(above, row);
  }
  return sums;
}

// Where a window of `window` of the source's pixels shows most, in the middle half of it.
Region busiest(const ColouredPicture& source, const Size& window) {
  const int width = source.view.format.width;
  const int height = source.view.format.height;
  const std::vector<double> sums = steepness_sums(source);
  const auto sum = [&](int x, int y) {
    return sums[static_cast<std::size_t>(y) * (static_cast<std::size_t>(width) + 1) +
                static_cast<std::size_t>(x)];
  };
  const auto places = [](int length, int part) {
    constexpr int kPlaces = 9;
    const int first = std::min(length / 4, (length - part) / 2);
    const int last = std::max(length - length / 4 - part, first);
    std::vector<int> all;
    for (int i = 0; i < kPlaces; ++i) all.push_back(first + i * (last - first) / (kPlaces - 1));
    return all;
  };
  Region best;
  double most = -1;
  for (const int y : places(height, window.height)) {
    for (const int x : places(width, window.width)) {
      const int right = x + window.width;
      const int bottom = y + window.height;
      const double here = sum(right, bottom) - sum(x, bottom) - sum(right, y) + sum(x, y);
      if (here <= most) continue;
      most = here;
      best = {static_cast<double>(x), static_cast<double>(y)};
    }
  }
  return best;
}

void add_detail(const ColouredPicture& source, const ColouredPicture& upscaled, Preview& preview) {
  const PictureFormat& from = source.view.format;
  const PictureFormat& to = upscaled.view.format;
  const Size size{std::min(kDetailWidth, to.width), std::min(kDetailHeight, to.height)};
  const double scale_x = static_cast<double>(from.width) / to.width;
  const double scale_y = static_cast<double>(from.height) / to.height;
  const Size window{std::clamp(static_cast<int>(size.width * scale_x), 1, from.width),
                    std::clamp(static_cast<int>(size.height * scale_y), 1, from.height)};
  Region after = busiest(source, window);
  after.x = std::min(std::round(after.x / scale_x), double{1} * to.width - size.width);
  after.y = std::min(std::round(after.y / scale_y), double{1} * to.height - size.height);
  after.width = size.width;
  after.height = size.height;
  const Region before{
      after.x * scale_x, after.y * scale_y, after.width * scale_x, after.height * scale_y};
  preview.detail_before = jpeg_of(source, before, size);
  preview.detail_after = jpeg_of(upscaled, after, size);
}

}  // namespace

void make_preview(const ColouredPicture& source,
                  const ColouredPicture& upscaled,
                  const Rational& sample_aspect,
                  bool detail,
                  Preview& preview) {
  const Size size = preview_size(upscaled.view.format, sample_aspect);
  preview.before = jpeg_of(source, whole(source.view.format), size);
  preview.after = jpeg_of(upscaled, whole(upscaled.view.format), size);
  if (detail) add_detail(source, upscaled, preview);
}

}  // namespace vsr::pipeline
