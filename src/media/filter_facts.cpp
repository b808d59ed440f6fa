// What can be told of a graph without running a film through it.
#include "picture_filter.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
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

std::string option_text(AVFilterContext& filter, const char* name) {
  std::uint8_t* text = nullptr;
  if (av_opt_get(filter.priv, name, 0, &text) < 0 || text == nullptr) return "";
  std::string copy(reinterpret_cast<const char*>(text));
  av_free(text);
  return copy;
}

// A crop in one direction, as its options say it: a number or an expression.
struct CropSide {
  std::string length;
  std::string begin;

  bool fits(std::int64_t picture) const {
    const auto from = parse_number<std::int64_t>(begin);
    const auto size = parse_number<std::int64_t>(length);
    return !from || (*from >= 0 && *from + size.value_or(1) <= picture);
  }

  bool in_step(std::int64_t step) const {
    return parse_number<std::int64_t>(begin).value_or(0) % step == 0 &&
           parse_number<std::int64_t>(length).value_or(0) % step == 0;
  }

  // The most of it that is in step, or the least around it.
  CropSide nearest(std::int64_t step) const {
    const auto from = parse_number<std::int64_t>(begin);
    const auto size = parse_number<std::int64_t>(length);
    const auto down = [&](std::int64_t value) { return value - value % step; };
    const std::int64_t first = down(from.value_or(0) + step - 1);
    const std::int64_t last = down(from.value_or(0) + size.value_or(0));
    const bool whole = last > first;
    return {!size ? length : std::to_string(whole ? last - first : step),
            !from ? begin : std::to_string(whole || !size ? first : down(*from))};
  }
};

std::string crop_text(const CropSide& across, const CropSide& down) {
  return format("crop={}:{}:{}:{}", across.length, down.length, across.begin, down.begin);
}

}  // namespace

void check_crops(const AVFilterGraph& graph) {
  for (unsigned i = 0; i < graph.nb_filters; ++i) {
    AVFilterContext& filter = *graph.filters[i];
    if (std::string_view(filter.filter->name) != "crop") continue;
    const AVFilterLink& in = *filter.inputs[0];
    const CropSide across{option_text(filter, "w"), option_text(filter, "x")};
    const CropSide down{option_text(filter, "h"), option_text(filter, "y")};
    if (!across.fits(in.w) || !down.fits(in.h)) {
      throw Error(ErrorCode::kUsage,
                  format("{} reaches outside the picture, which is {}x{} there: make it smaller or "
                         "move it (preprocess.crop or preprocess.filters)",
                         crop_text(across, down),
                         in.w,
                         in.h));
    }
    const AVPixFmtDescriptor* pixels = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(in.format));
    if (pixels == nullptr || option_text(filter, "exact") == "true" ||
        option_text(filter, "exact") == "1") {
      continue;
    }
    const std::int64_t step_across = std::int64_t{1} << pixels->log2_chroma_w;
    const std::int64_t step_down = std::int64_t{1} << pixels->log2_chroma_h;
    if (across.in_step(step_across) && down.in_step(step_down)) continue;
    throw Error(ErrorCode::kUsage,
                format("{} would cut through the chroma samples of {} pictures: width and x must "
                       "be multiples of {}, height and y of {}; {} is the nearest",
                       crop_text(across, down),
                       pixels->name,
                       step_across,
                       step_down,
                       crop_text(across.nearest(step_across), down.nearest(step_down))));
  }
}

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
