#include "vsr/media/common_form.hpp"

#include "av.hpp"
#include "vsr/base/format.hpp"

#include <cstdint>
#include <vector>

namespace vsr::media {

namespace {

std::int64_t pixels(const PictureFormat& format) {
  return std::int64_t{1} * format.width * format.height;
}

bool same_size(const PictureFormat& a, const PictureFormat& b) {
  return a.width == b.width && a.height == b.height;
}

bool is_yuv(const PictureFormat& format) { return format.model == ColourModel::kYuv; }

bool subsamples(const PictureFormat& format) {
  return is_yuv(format) && format.subsampling != ChromaSubsampling::k444;
}

// Whether two descriptions mean the same for samples of this format.
bool same_colour(const PictureFormat& format,
                 const ColourDescription& a,
                 const ColourDescription& b) {
  if (format.model == ColourModel::kRgb) return true;
  if (a.full_range != b.full_range) return false;
  if (!is_yuv(format)) return true;
  return a.matrix == b.matrix && (!subsamples(format) || a.siting == b.siting);
}

bool is_of_form(const VideoInfo& video, const PictureForm& form) {
  return video.format == form.format && same_colour(form.format, video.colour, form.colour);
}

bool has_odd_chroma(const PictureFormat& format) {
  const bool odd_height = format.subsampling == ChromaSubsampling::k420 && format.height % 2 != 0;
  return subsamples(format) && (format.width % 2 != 0 || odd_height);
}

// What zscale refuses to do in one step: to take a subsampled picture of an odd size, or to make a
// gray one of that size from any that is subsampled.
bool wants_whole_chroma(const PictureFormat& from, const PictureFormat& to) {
  if (to.model != ColourModel::kGray) return has_odd_chroma(from);
  PictureFormat resized = from;
  resized.width = to.width;
  resized.height = to.height;
  return has_odd_chroma(from) || has_odd_chroma(resized);
}

const char* resampler(const PictureFormat& from, const PictureFormat& to) {
  return pixels(to) > pixels(from) ? "bicubic" : "lanczos";
}

// zscale's options of one side: "matrixin=5:rangein=limited:chromalin=left".
std::string side_text(const char* side,
                      const PictureFormat& format,
                      const ColourDescription& colour) {
  if (format.model == ColourModel::kRgb) return "";
  std::string text = vsr::format(":range{}={}", side, colour.full_range ? "full" : "limited");
  if (!is_yuv(format)) return text;
  text += vsr::format(":matrix{}={}", side, static_cast<int>(av_colour_space(colour, format)));
  if (subsamples(format)) text += vsr::format(":chromal{}={}", side, to_string(colour.siting));
  return text;
}

// Where chroma lies between samples of luma, in 256ths of them, for swscale.
std::string chroma_position(const PictureFormat& format, ChromaSiting siting) {
  const bool centre = siting == ChromaSiting::kCenter || siting == ChromaSiting::kTop ||
                      siting == ChromaSiting::kBottom;
  std::string text = vsr::format("in_h_chr_pos={}", centre ? 128 : 0);
  if (format.subsampling != ChromaSubsampling::k420) return text;
  int down = 128;
  if (siting == ChromaSiting::kTopLeft || siting == ChromaSiting::kTop) down = 0;
  if (siting == ChromaSiting::kBottomLeft || siting == ChromaSiting::kBottom) down = 256;
  return text + vsr::format(":in_v_chr_pos={}", down);
}

// What zscale refuses swscale does: it enlarges the chroma, and leaves the luma alone. `video`
// becomes what comes of it.
std::string filters_to_whole_chroma(VideoInfo& video) {
  const PictureFormat from = video.format;
  const char* range = video.colour.full_range ? "full" : "limited";
  video.format.subsampling = ChromaSubsampling::k444;
  video.format.bit_depth = 16;  // rounded when all is done
  return vsr::format(
      "scale=flags=lanczos+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:in_range={}:"
      "out_range={}:{},format={}",
      range,
      range,
      chroma_position(from, video.colour.siting),
      format_name(av_pixel_format(video.format)));
}

std::string colour_text(const PictureFormat& format, const ColourDescription& colour) {
  if (format.model == ColourModel::kRgb) return "RGB";
  const char* range = colour.full_range ? "full range" : "limited range";
  return is_yuv(format) ? vsr::format("{}, {}", to_string(colour.matrix), range) : range;
}

}  // namespace

PictureForm form_of(const VideoInfo& video) { return {video.format, video.colour}; }

Rational shown_aspect(const VideoInfo& video) {
  return Rational(video.format.width, video.format.height) * video.sample_aspect;
}

PictureForm form_to_compare(const VideoInfo& a, const VideoInfo& b) {
  PictureForm form = form_of(a);
  if (pixels(b.format) < pixels(a.format)) {
    form.format.width = b.format.width;
    form.format.height = b.format.height;
  }
  const bool converts = !is_of_form(a, form) || !is_of_form(b, form);
  if (converts && has_odd_chroma(form.format)) form.format.subsampling = ChromaSubsampling::k444;
  return form;
}

std::string filters_to(const VideoInfo& video, const PictureForm& form) {
  if (is_of_form(video, form)) return "";
  if (wants_whole_chroma(video.format, form.format)) {
    VideoInfo whole = video;
    const std::string first = filters_to_whole_chroma(whole);
    const std::string then = filters_to(whole, form);
    return then.empty() ? first : first + "," + then;
  }
  return format("zscale=w={}:h={}:filter={}:dither=none{}{},format={}",
                form.format.width,
                form.format.height,
                resampler(video.format, form.format),
                side_text("in", video.format, video.colour),
                side_text("", form.format, form.colour),
                format_name(av_pixel_format(form.format)));
}

std::string conversion_text(const VideoInfo& video, const PictureForm& form) {
  const PictureFormat& from = video.format;
  const PictureFormat& to = form.format;
  std::vector<std::string> parts;
  if (!same_size(from, to)) {
    parts.push_back(format("{} from {}x{} to {}x{} by {}",
                           pixels(to) > pixels(from) ? "enlarged" : "reduced",
                           from.width,
                           from.height,
                           to.width,
                           to.height,
                           resampler(from, to)));
  }
  const std::string colour_from = colour_text(from, video.colour);
  const std::string colour_to = colour_text(to, form.colour);
  if (colour_from != colour_to) {
    parts.push_back(format("brought from {} to {}", colour_from, colour_to));
  }
  const std::string samples_from = format_name(av_pixel_format(from));
  const std::string samples_to = format_name(av_pixel_format(to));
  if (samples_from != samples_to) parts.push_back(format("{} to {}", samples_from, samples_to));
  if (parts.empty() && !is_of_form(video, form)) {
    parts.push_back(format("chroma moved from {} to {}",
                           to_string(video.colour.siting),
                           to_string(form.colour.siting)));
  }
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace vsr::media
