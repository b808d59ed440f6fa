#include "examine.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

extern "C" {
#include <libavutil/display.h>
}

namespace vsr::media {

namespace {

constexpr int kTrialPictures = 10;
// Decoding that planning may spend on one check: a thousand pictures of HD.
constexpr double kMostPixelsDecoded = 2e9;

double pixels_of(const SourceInfo& source, std::int64_t pictures) {
  return static_cast<double>(pictures) * source.video.format.width * source.video.format.height;
}

std::vector<Rational> declared_rates(const AVStream& stream, const Rational& own) {
  std::vector<Rational> rates{own};
  for (const AVRational& rate : {stream.avg_frame_rate, stream.r_frame_rate}) {
    if (rate.num > 0 && rate.den > 0) rates.push_back(from_av(rate, own));
  }
  return rates;
}

void warn_of_source(const AVStream& stream, Examination& film) {
  const auto pixels = static_cast<AVPixelFormat>(stream.codecpar->format);
  if (has_alpha(pixels)) film.warnings.push_back("the film's transparency is dropped");
  const auto matrix = stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix.size() >= 9 * sizeof(std::int32_t)) {
    const double angle =
        av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix.data()));
    if (angle > 1 || angle < -1) {
      film.warnings.push_back(
          format("the film asks to be shown turned by {:.0f} degrees, which is not done: set "
                 "preprocess.filters = transpose=clock or the like",
                 angle));
    }
  }
  if (film.scan.missing_s > 0) {
    film.warnings.push_back(
        format("the film ends early: about {:.1f} seconds are missing", film.scan.missing_s));
  }
}

// Drops the scan's first `head` and all from `end` on.
void trim(SourceScan& scan, std::int64_t head, std::int64_t end) {
  scan.pts.erase(scan.pts.begin() + end, scan.pts.end());
  scan.pts.erase(scan.pts.begin(), scan.pts.begin() + head);
  std::vector<std::int64_t> keys;
  for (const std::int64_t key : scan.keys) {
    if (key >= head && key < end) keys.push_back(key - head);
  }
  scan.keys = std::move(keys);
  scan.pictures = static_cast<std::int64_t>(scan.pts.size());
}

std::int64_t index_of(const SourceScan& scan, std::int64_t pts) {
  const auto found = std::lower_bound(scan.pts.begin(), scan.pts.end(), pts);
  return found != scan.pts.end() && *found == pts ? found - scan.pts.begin() : -1;
}

void count_pictures(Examination& film, std::string why) {
  film.scan.broken = std::move(why);
  film.scan.pts.clear();
  film.scan.keys.clear();
}

// Compares the first pictures with what the scan promised: leading pictures whose references were
// cut off do not decode, and some containers' times are not those of the pictures.
void check_start(PictureDecoder& decoder, Examination& film) {
  decoder.rewind();
  std::int64_t first = -1;
  for (int i = 0; i < kTrialPictures; ++i) {
    const FramePtr frame = decoder.next();
    if (!frame && i == 0) {
      throw Error(ErrorCode::kInput,
                  format("{}: no picture of the film can be decoded", decoder.input().path));
    }
    if (!frame) break;
    if (!film.scan.broken.empty()) return;
    const std::int64_t number = index_of(film.scan, frame->pts);
    if (number < 0) {
      count_pictures(film, "the decoder gives pictures other times than the container");
      return;
    }
    if (i == 0) first = number;
  }
  if (first > 0) {
    film.warnings.push_back(format(
        "the first {} pictures do not decode (they refer to what was cut off) and are left out",
        first));
    trim(film.scan, first, film.scan.pictures);
  }
}

// Decodes the end of the film: a file that was cut off promises pictures that it does not hold.
void check_end(PictureDecoder& decoder,
               const SourceInfo& source,
               const Progress& progress,
               Examination& film) {
  SourceScan& scan = film.scan;
  const std::int64_t keys = static_cast<std::int64_t>(scan.keys.size());
  const std::int64_t from = keys >= 3 ? scan.keys[static_cast<std::size_t>(keys - 2)] : 0;
  if (pixels_of(source, scan.pictures - from) > kMostPixelsDecoded) return;
  std::vector<std::int64_t> key_pts;
  key_pts.reserve(scan.keys.size());
  for (const std::int64_t key : scan.keys) {
    key_pts.push_back(scan.pts[static_cast<std::size_t>(key)]);
  }
  decoder.enter(key_pts, keys >= 3 ? keys - 2 : -1);
  std::int64_t last = -1;
  while (const FramePtr frame = decoder.next()) {
    heed(progress, scan.pictures);
    last = std::max(last, index_of(scan, frame->pts));
  }
  if (last < from || last + 1 == scan.pictures) return;
  film.warnings.push_back(
      format("the last {} pictures do not decode and are left out", scan.pictures - 1 - last));
  trim(scan, 0, last + 1);
}

std::string hash_of(const AVFrame& frame) {
  Sha256 hash;
  for (int plane = 0; plane < AV_NUM_DATA_POINTERS && frame.data[plane] != nullptr; ++plane) {
    const auto pixels = static_cast<AVPixelFormat>(frame.format);
    const int row = av_image_get_linesize(pixels, frame.width, plane);
    if (row <= 0) continue;
    const AVPixFmtDescriptor* described = av_pix_fmt_desc_get(pixels);
    const bool chroma = plane == 1 || plane == 2;
    const int rows = chroma ? AV_CEIL_RSHIFT(frame.height, described->log2_chroma_h) : frame.height;
    for (int y = 0; y < rows; ++y) {
      hash.update(frame.data[plane] + static_cast<std::ptrdiff_t>(y) * frame.linesize[plane],
                  static_cast<std::size_t>(row));
    }
  }
  return hash.finish();
}

// Hashes of a few pictures from number `first` on, entered so many key pictures early.
std::vector<std::string> sample(SourcePictures& pictures,
                                std::int64_t first,
                                std::int64_t keys_early,
                                const Progress& progress) {
  constexpr std::size_t kSample = 4;
  std::vector<std::string> hashes;
  pictures.start(first, keys_early);
  while (hashes.size() < kSample) {
    heed(progress, first);
    const FramePtr frame = pictures.next();
    if (!frame) break;
    if (pictures.number() >= first) hashes.push_back(hash_of(*frame));
  }
  return hashes;
}

// Enters the film at two places from two distances each: the same pictures must come.
void check_entries(PictureDecoder& decoder,
                   const SourceInfo& source,
                   const Progress& progress,
                   Examination& film) {
  constexpr std::int64_t kNear = 2;
  constexpr std::int64_t kFar = 4;
  const auto& keys = film.scan.keys;
  const auto count = static_cast<std::int64_t>(keys.size());
  for (const std::int64_t part : {1, 2}) {
    const std::int64_t at = count * part / 3;
    if (at < kFar || at + 1 >= count) continue;
    const std::int64_t first =
        (keys[static_cast<std::size_t>(at)] + keys[static_cast<std::size_t>(at + 1)]) / 2;
    const std::int64_t far_key = keys[static_cast<std::size_t>(at + 1 - kFar)];
    if (pixels_of(source, first - far_key) > kMostPixelsDecoded) continue;
    SourcePictures pictures(decoder, numbering_of(film), true);
    const std::vector<std::string> near_hashes = sample(pictures, first, kNear, progress);
    if (pictures.entered_slowly()) {
      film.not_enterable = "seeking in this file does not reach its pictures";
      return;
    }
    const std::vector<std::string> far_hashes = sample(pictures, first, kFar, progress);
    const bool damaged_here = pictures.replaced() > 0 || pictures.damaged() > 0;
    if (near_hashes != far_hashes && !damaged_here) {
      film.not_enterable = "pictures differ with the place where decoding starts";
      return;
    }
  }
}

// Runs the first pictures through the graph.
void try_graph(PictureDecoder& decoder,
               const TimelineOptions& options,
               const Progress& progress,
               Examination& film) {
  film.radius = temporal_radius(options.filters);
  SourcePictures pictures(decoder, numbering_of(film), true);
  PictureFilter filter(filter_settings(film, options));
  pictures.start_over();
  std::vector<std::int64_t> in;
  std::vector<std::int64_t> out;
  PictureFormat in_format;
  const auto take = [&] {
    while (const FramePtr frame = filter.receive()) {
      heed(progress, film.scan.pictures);
      if (out.empty()) {
        film.output = filter.output();
        film.colour = colour_after(*frame, film.source_colour, in_format);
      }
      out.push_back(av_rescale_q(frame->pts, filter.output().time_base, to_av(film.time_base)));
    }
  };
  for (int i = 0; i < kTrialPictures; ++i) {
    FramePtr frame = pictures.next();
    if (!frame) break;
    if (i == 0) {
      const auto planar = planar_format(static_cast<AVPixelFormat>(frame->format));
      if (!planar) {
        throw Error(ErrorCode::kInput,
                    format("{}: pictures in {} are not supported; convert the film first",
                           decoder.input().path,
                           format_name(static_cast<AVPixelFormat>(frame->format))));
      }
      in_format = known_picture_format(*planar, frame->width, frame->height);
    }
    in.push_back(frame->pts);
    filter.send(std::move(frame));
    take();
  }
  filter.finish();
  take();
  if (out.empty()) {
    throw Error(ErrorCode::kUsage,
                format("filter graph '{}' gives no picture for the first {} of the film",
                       options.filters,
                       in.size()));
  }
  film.one_to_one = in == out;
  if (!film.output.exact) {
    film.warnings.push_back(
        format("the film's chroma is interpolated to {}", to_string(film.output.format)));
  }
}

}  // namespace

SourceNumbering numbering_of(const Examination& film) {
  return {.pts = film.scan.pts,
          .seek_points = film.scan.keys,
          .time_base = film.time_base,
          .packets = film.scan.pictures};
}

FilterSettings filter_settings(const Examination& film, const TimelineOptions& options) {
  return {.filters = options.filters,
          .time_base = to_av(film.time_base),
          .rate = to_av(film.declared.front()),
          .colour = film.source_colour,
          .sample_aspect = to_av(film.source_sample_aspect),
          .out_full_range = film.source_colour.full_range};
}

Examination examine(const SourceInfo& source,
                    const TimelineOptions& options,
                    const Progress& progress) {
  PictureDecoder decoder(source.path.string(), source.video.stream, 0);
  Examination film;
  film.scan = scan_source(decoder, progress);
  film.time_base = from_av(decoder.stream().time_base, Rational(1, 90000));
  film.declared = declared_rates(decoder.stream(), source.video.rate);
  film.source_colour = source.video.colour;
  if (options.matrix && !source.video.matrix_tagged) film.source_colour.matrix = *options.matrix;
  film.source_sample_aspect = source.video.sample_aspect;
  check_start(decoder, film);
  if (film.scan.broken.empty()) {
    check_end(decoder, source, progress, film);
    check_entries(decoder, source, progress, film);
  }
  film.clockless = decoder.input().image_sequence || !film.scan.broken.empty();
  if (film.clockless) {  // pts, if any, count pictures
    film.declared = {options.fps.value_or(film.declared.front())};
    film.time_base = film.declared.front().inverse();
  }
  warn_of_source(decoder.stream(), film);
  if (film.scan.other_width > 0) {
    film.warnings.push_back(
        format("the picture size changes to {}x{} near picture {}: pictures are "
               "scaled back to the first size",
               film.scan.other_width,
               film.scan.other_height,
               film.scan.other_at));
  }
  try_graph(decoder, options, progress, film);
  return film;
}

}  // namespace vsr::media
