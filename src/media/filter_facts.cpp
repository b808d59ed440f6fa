// What can be told of a graph without running a film through it.
#include "picture_filter.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

namespace vsr::media {

namespace {

struct Radius {
  std::string_view filter;
  int pictures;
};

// Filters whose result for a picture depends on that picture and this many neighbours alone.
// Everything else counts as having no bound: it costs a mezzanine, never a wrong picture.
constexpr Radius kRadii[] = {
    {"bwdif", 1},
    {"yadif", 1},
    {"w3fdif", 1},
    {"null", 0},
    {"copy", 0},
    {"format", 0},
    {"noformat", 0},
    {"setsar", 0},
    {"setdar", 0},
    {"setparams", 0},
    {"setrange", 0},
    {"setfield", 0},
    {"scale", 0},
    {"zscale", 0},
    {"crop", 0},
    {"pad", 0},
    {"fillborders", 0},
    {"hflip", 0},
    {"vflip", 0},
    {"transpose", 0},
    {"rotate", 0},
    {"lenscorrection", 0},
    {"fieldorder", 0},
    {"il", 0},
    {"colorspace", 0},
    {"colormatrix", 0},
    {"tonemap", 0},
    {"eq", 0},
    {"hue", 0},
    {"curves", 0},
    {"lut", 0},
    {"lutyuv", 0},
    {"lutrgb", 0},
    {"lut1d", 0},
    {"lut3d", 0},
    {"limiter", 0},
    {"negate", 0},
    {"colorbalance", 0},
    {"colorlevels", 0},
    {"colorchannelmixer", 0},
    {"colortemperature", 0},
    {"vibrance", 0},
    {"unsharp", 0},
    {"cas", 0},
    {"smartblur", 0},
    {"gblur", 0},
    {"avgblur", 0},
    {"boxblur", 0},
    {"bilateral", 0},
    {"median", 0},
    {"nlmeans", 0},
    {"bm3d", 0},
    {"owdenoise", 0},
    {"vaguedenoiser", 0},
    {"dctdnoiz", 0},
    {"chromanr", 0},
    {"chromashift", 0},
    {"deblock", 0},
    {"deband", 0},
    {"gradfun", 0},
    {"delogo", 0},
    {"removegrain", 0},
    {"drawbox", 0},
    {"convolution", 0},
};

// Names in filters' expressions that count pictures or bytes since the start, or keep a state:
// after a seek they mean something else.
constexpr std::array<std::string_view, 7> kCounting{
    "n", "N", "pos", "random", "randomi", "st", "ld"};

bool counts_pictures(std::string_view text) {
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && in_name(text[end])) ++end;
    if (std::find(kCounting.begin(), kCounting.end(), text.substr(at, end - at)) !=
        kCounting.end()) {
      return true;
    }
    at = std::max(end, at + 1);
  }
  return false;
}

}  // namespace

std::optional<int> temporal_radius(const std::string& filters) {
  if (filters.empty()) return 0;
  const GraphPtr graph = parsed_graph(filters);
  if (counts_pictures(filters)) return std::nullopt;
  int radius = 0;
  for (unsigned i = 0; i < graph->nb_filters; ++i) {
    const std::string_view name = graph->filters[i]->filter->name;
    const auto* const row = std::find_if(std::begin(kRadii),
                                         std::end(kRadii),
                                         [&](const Radius& known) { return known.filter == name; });
    if (row == std::end(kRadii)) return std::nullopt;
    radius += row->pictures;
  }
  return radius;
}

ColourDescription colour_after(const AVFrame& out,
                               const ColourDescription& in,
                               const PictureFormat& in_format) {
  const auto pixels = static_cast<AVPixelFormat>(out.format);
  const PictureFormat out_format = known_picture_format(pixels, out.width, out.height);
  const bool same_model = out_format.model == in_format.model;
  ColourDescription colour = in;
  const auto matrix = matrix_of(out.colorspace);
  // swscale makes YUV of RGB by bt601 where nothing else is said, and says nothing.
  if (out_format.model == ColourModel::kYuv) {
    colour.matrix = matrix.value_or(same_model ? in.matrix : Matrix::kBt601);
  }
  if (out.color_range != AVCOL_RANGE_UNSPECIFIED) {
    colour.full_range = out.color_range == AVCOL_RANGE_JPEG;
  } else if (!same_model || is_yuvj(pixels)) {
    colour.full_range = out_format.model == ColourModel::kRgb || is_yuvj(pixels);
  }
  colour.siting = siting_of(out.chroma_location).value_or(in.siting);
  colour.primaries = out.color_primaries;
  colour.transfer = out.color_trc;
  const bool retagged = colour.primaries != in.primaries || colour.transfer != in.transfer;
  if (colour.matrix != in.matrix && out_format.model == ColourModel::kYuv && !retagged) {
    set_usual_tags(colour, out.height);
  }
  return colour;
}

}  // namespace vsr::media
