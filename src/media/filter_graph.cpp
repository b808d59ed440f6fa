#include "vsr/media/filter_graph.hpp"

#include "av.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <string_view>
#include <vector>

namespace vsr::media {

namespace {

constexpr int kMostSide = 16384;

// zscale's names.
std::string_view zscale_name(Matrix matrix) {
  switch (matrix) {
    case Matrix::kBt601:
      return "bt470bg";
    case Matrix::kBt709:
      return "bt709";
    case Matrix::kBt2020Ncl:
      return "bt2020nc";
    case Matrix::kSmpte240m:
      return "smpte240m";
    case Matrix::kFcc:
      return "fcc";
  }
  return "bt709";
}

void check(bool good, std::string_view what) {
  if (!good) throw Error(ErrorCode::kUsage, format("preprocessing: {}", what));
}

void check_spec(const FilterGraphSpec& spec) {
  check(spec.width >= 0 && spec.height >= 0 && spec.width <= kMostSide && spec.height <= kMostSide,
        format("a size of {}x{} is out of range (0 to {})", spec.width, spec.height, kMostSide));
  if (spec.sample_aspect) {
    check(*spec.sample_aspect > Rational(0, 1), "the sample aspect must be above 0");
  }
  if (spec.crop) {
    const FilterGraphSpec::Crop& crop = *spec.crop;
    check(crop.width > 0 && crop.height > 0 && crop.x >= 0 && crop.y >= 0 &&
              crop.width <= kMostSide && crop.height <= kMostSide && crop.x <= kMostSide &&
              crop.y <= kMostSide,
          format(
              "a crop of {}x{} at {},{} is out of range", crop.width, crop.height, crop.x, crop.y));
    check((spec.width == 0 || crop.x + crop.width <= spec.width) &&
              (spec.height == 0 || crop.y + crop.height <= spec.height),
          format("a crop of {}x{} at {},{} does not fit into the scaled picture of {}x{}",
                 crop.width,
                 crop.height,
                 crop.x,
                 crop.y,
                 spec.width,
                 spec.height));
  }
}

std::string bwdif_text(const FilterGraphSpec& spec) {
  std::string_view parity = "auto";
  if (spec.parity == FilterGraphSpec::Parity::kTop) parity = "tff";
  if (spec.parity == FilterGraphSpec::Parity::kBottom) parity = "bff";
  const bool all = spec.deinterlace == FilterGraphSpec::Deinterlace::kAll;
  return format("bwdif=mode=send_frame:parity={}:deint={}", parity, all ? "all" : "interlaced");
}

// Sets w, h, matrixin, matrix as far as asked.
std::string zscale_text(const FilterGraphSpec& spec) {
  std::string text = "zscale=";
  if (spec.width > 0) text += format("w={}:", spec.width);
  if (spec.height > 0) text += format("h={}:", spec.height);
  if (spec.matrix_in) text += format("matrixin={}:", zscale_name(*spec.matrix_in));
  // Without matrix_out the output keeps the matrix, but under its right name.
  const std::optional<Matrix> out = spec.matrix_out ? spec.matrix_out : spec.matrix_in;
  if (out) text += format("matrix={}:", zscale_name(*out));
  return text + "filter=bicubic";
}

int space_number(Matrix matrix) {
  return static_cast<int>(av_colour_space({.matrix = matrix}, {}));
}

std::string setparams_text(Matrix matrix, int height) {
  ColourDescription colour{.matrix = matrix};
  set_usual_tags(colour, height);
  return format("setparams=colorspace={}:color_primaries={}:color_trc={}",
                space_number(matrix),
                colour.primaries,
                colour.transfer);
}

}  // namespace

std::string make_filter_graph(const FilterGraphSpec& spec) {
  check_spec(spec);
  std::vector<std::string> filters;
  if (spec.deinterlace != FilterGraphSpec::Deinterlace::kOff) filters.push_back(bwdif_text(spec));
  if (spec.width > 0 || spec.height > 0 || spec.matrix_out) {
    filters.push_back(zscale_text(spec));
  } else if (spec.matrix_in) {
    filters.push_back(format("setparams=colorspace={}", space_number(*spec.matrix_in)));
  }
  if (spec.matrix_out) filters.push_back(setparams_text(*spec.matrix_out, spec.height));
  if (spec.sample_aspect) {
    filters.push_back(
        spec.sample_aspect->den() == 1
            ? format("setsar={}", spec.sample_aspect->num())
            : format("setsar={}/{}", spec.sample_aspect->num(), spec.sample_aspect->den()));
  }
  if (spec.crop) {
    filters.push_back(format(
        "crop={}:{}:{}:{}", spec.crop->width, spec.crop->height, spec.crop->x, spec.crop->y));
  }
  std::string graph;
  for (const std::string& filter : filters) graph += (graph.empty() ? "" : ",") + filter;
  return graph;
}

}  // namespace vsr::media
