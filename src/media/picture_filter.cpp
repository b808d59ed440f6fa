#include "picture_filter.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vsr::media {

namespace {

// More pictures than so many for each that went in, and so many beside (a title of minutes before
// the film), come of no sensible graph.
constexpr std::int64_t kMostOfOne = 16;
constexpr std::int64_t kMostBeside = 10'000;

// What a graph's text became: its filters unconnected at one input and one output.
struct ParsedGraph {
  GraphPtr graph;
  AvPtr<AVFilterInOut> inputs;
  AvPtr<AVFilterInOut> outputs;
};

[[noreturn]] void refuse_graph(const std::string& filters, const LogCapture& log, int result) {
  const std::string reason = log.text();
  throw Error(
      ErrorCode::kUsage,
      format("filter graph '{}': {}", filters, reason.empty() ? av_error_text(result) : reason));
}

ParsedGraph parse_graph(const std::string& filters, int threads) {
  ParsedGraph parsed;
  parsed.graph.reset(avfilter_graph_alloc());
  if (!parsed.graph) throw Error(ErrorCode::kInternal, "out of memory");
  parsed.graph->nb_threads = threads > 0 ? threads : usable_cpus();
  // For conversions that FFmpeg puts in by itself: the same samples on every CPU.
  parsed.graph->scale_sws_opts =
      av_strdup("flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact");
  AVFilterInOut* inputs = nullptr;
  AVFilterInOut* outputs = nullptr;
  LogCapture log;
  const int result = avfilter_graph_parse2(
      parsed.graph.get(), filters.empty() ? "null" : filters.c_str(), &inputs, &outputs);
  if (result < 0) refuse_graph(filters, log, result);
  // On several threads it cuts a picture into slices and, where it changes the matrix of subsampled
  // pictures, resamples chroma as if each were alone (seen in FFmpeg 5.1): the picture would depend
  // on how many threads there are.
  for (unsigned i = 0; i < parsed.graph->nb_filters; ++i) {
    AVFilterContext* const filter = parsed.graph->filters[i];
    if (std::strcmp(filter->filter->name, "zscale") == 0) filter->nb_threads = 1;
  }
  parsed.inputs.reset(inputs);
  parsed.outputs.reset(outputs);
  const auto one_of_video = [](const AVFilterInOut* end, bool input) {
    if (end == nullptr || end->next != nullptr) return false;
    const AVFilterPad* pads = input ? end->filter_ctx->input_pads : end->filter_ctx->output_pads;
    return avfilter_pad_get_type(pads, end->pad_idx) == AVMEDIA_TYPE_VIDEO;
  };
  if (!one_of_video(inputs, true) || !one_of_video(outputs, false)) {
    throw Error(
        ErrorCode::kUsage,
        format("filter graph '{}' must have one video input and one video output", filters));
  }
  return parsed;
}

AVFilterContext* add_filter(AVFilterGraph& graph,
                            const char* kind,
                            const char* name,
                            const std::string& arguments) {
  const AVFilter* filter = avfilter_get_by_name(kind);
  if (filter == nullptr) {
    throw Error(ErrorCode::kInternal, format("this FFmpeg has no filter '{}'", kind));
  }
  AVFilterContext* made = nullptr;
  check_av(
      avfilter_graph_create_filter(
          &made, filter, name, arguments.empty() ? nullptr : arguments.c_str(), nullptr, &graph),
      ErrorCode::kInternal,
      format("filter {}", kind));
  return made;
}

// FFmpeg 7 settles colour space and range between filters before the first picture comes, and says
// so by the options it has; before that, filters read them off each picture.
std::string source_arguments(const AVFrame& frame, const FilterSettings& settings) {
  std::string text =
      format("video_size={}x{}:pix_fmt={}:time_base={}/{}:pixel_aspect={}/{}:frame_rate={}/{}",
             frame.width,
             frame.height,
             frame.format,
             settings.time_base.num,
             settings.time_base.den,
             frame.sample_aspect_ratio.num,
             std::max(frame.sample_aspect_ratio.den, 1),
             settings.rate.num,
             settings.rate.den);
  const AVClass* options = avfilter_get_by_name("buffer")->priv_class;
  if (av_opt_find(&options, "colorspace", nullptr, 0, AV_OPT_SEARCH_FAKE_OBJ) != nullptr) {
    text += format(":colorspace={}:range={}",
                   static_cast<int>(frame.colorspace),
                   static_cast<int>(frame.color_range));
  }
  return text;
}

}  // namespace

GraphPtr parsed_graph(const std::string& filters) { return parse_graph(filters, 1).graph; }

PictureFilter::PictureFilter(FilterSettings settings) : settings_(std::move(settings)) {}

// Puts the graph together for pictures like `first`, with the conversion behind the user's filters.
PictureFilter::BuiltGraph PictureFilter::build(const AVFrame& first,
                                               const Conversion& conversion) const {
  ParsedGraph parsed = parse_graph(settings_.filters, settings_.threads);
  AVFilterGraph& graph = *parsed.graph;
  LogCapture log;
  const auto check_link = [&](int result) {
    if (result < 0) refuse_graph(settings_.filters, log, result);
  };
  AVFilterContext* source = add_filter(graph, "buffer", "film", source_arguments(first, settings_));
  AVFilterContext* sink = add_filter(graph, "buffersink", "timeline", "");
  AVFilterContext* last = parsed.outputs->filter_ctx;
  auto pad = static_cast<unsigned>(parsed.outputs->pad_idx);
  const auto append = [&](const char* kind, const std::string& arguments) {
    AVFilterContext* filter = add_filter(graph, kind, kind, arguments);
    check_link(avfilter_link(last, pad, filter, 0));
    last = filter;
    pad = 0;
  };
  check_link(avfilter_link(
      source, 0, parsed.inputs->filter_ctx, static_cast<unsigned>(parsed.inputs->pad_idx)));
  if (!conversion.empty()) {
    // Without a word on it, FFmpeg 5 makes limited range of whatever it converts.
    append("scale",
           conversion.size + "out_range=" + (settings_.out_full_range ? "full" : "limited"));
  }
  if (conversion.pixels != AV_PIX_FMT_NONE) {
    append("format", "pix_fmts=" + format_name(conversion.pixels));
  }
  check_link(avfilter_link(last, pad, sink, 0));
  check_link(avfilter_graph_config(&graph, nullptr));
  return {std::move(parsed.graph), source, sink};
}

void PictureFilter::open(const AVFrame& first) {
  // Only a configured graph says what it gives; then it is built again with what is to be added.
  BuiltGraph built = build(first, {});
  if (!settings_.out) check_crops(*built.graph);
  auto pixels = static_cast<AVPixelFormat>(av_buffersink_get_format(built.sink));
  bool exact = true;
  const auto planar = planar_format(pixels, &exact);
  if (!planar) {
    throw Error(ErrorCode::kUsage,
                format("filter graph '{}' gives pictures in {}, which is not supported; let it end "
                       "in format=yuv444p10 or the like",
                       settings_.filters,
                       format_name(pixels)));
  }
  const PictureFormat own = known_picture_format(
      *planar, av_buffersink_get_w(built.sink), av_buffersink_get_h(built.sink));
  if (!settings_.out) output_.exact = exact;
  const PictureFormat wanted = settings_.out.value_or(own);
  Conversion conversion;
  if (own.width != wanted.width || own.height != wanted.height) {
    conversion.size = format("{}:{}:", wanted.width, wanted.height);
    scaled_back_ = true;
  }
  PictureFormat own_at_size = own;
  own_at_size.width = wanted.width;
  own_at_size.height = wanted.height;
  if (*planar != pixels || !(own_at_size == wanted)) conversion.pixels = av_pixel_format(wanted);
  if (!conversion.empty()) built = build(first, conversion);
  pixels = static_cast<AVPixelFormat>(av_buffersink_get_format(built.sink));
  const auto format =
      picture_format(pixels, av_buffersink_get_w(built.sink), av_buffersink_get_h(built.sink));
  if (!format || (settings_.out && !(*format == *settings_.out))) {
    throw Error(
        ErrorCode::kInternal,
        vsr::format(
            "filter graph '{}' gives {} in spite of all", settings_.filters, format_name(pixels)));
  }
  output_.format = *format;
  output_.pixels = pixels;
  output_.time_base = av_buffersink_get_time_base(built.sink);
  output_.rate = av_buffersink_get_frame_rate(built.sink);
  output_.sample_aspect = av_buffersink_get_sample_aspect_ratio(built.sink);
  settings_.out = output_.format;
  built_ = std::move(built);
  width_ = first.width;
  height_ = first.height;
  pixels_ = first.format;
}

void PictureFilter::send(FramePtr frame) {
  const auto format = picture_format(static_cast<AVPixelFormat>(frame->format), 0, 0);
  tag_colour(*frame,
             settings_.colour,
             format.value_or(PictureFormat{
                 .model = (av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame->format))->flags &
                           AV_PIX_FMT_FLAG_RGB) != 0
                              ? ColourModel::kRgb
                              : ColourModel::kYuv}));
  frame->sample_aspect_ratio = settings_.sample_aspect;
  const bool changed = built_.graph && (frame->width != width_ || frame->height != height_ ||
                                        frame->format != pixels_);
  if (changed) {
    close(frame->pts);
    waiting_ = std::move(frame);
    return;
  }
  if (!built_.graph) open(*frame);
  add(std::move(frame));
}

void PictureFilter::add(FramePtr frame) {
  last_pts_ = frame->pts;
  ++sent_;
  LogCapture log;
  const int result = av_buffersrc_add_frame(built_.source, frame.get());
  if (result < 0) refuse_graph(settings_.filters, log, result);
}

// Filters that change the rate have to know until when the last picture is shown.
void PictureFilter::close(std::int64_t end_pts) {
  check_av(av_buffersrc_close(built_.source, end_pts, 0), ErrorCode::kInternal, "filter graph");
}

void PictureFilter::finish(std::int64_t last_duration) {
  if (finished_) return;
  finished_ = true;
  if (!built_.graph) return;
  const std::int64_t usual = av_rescale_q(1, av_inv_q(settings_.rate), settings_.time_base);
  close(last_pts_ + (last_duration > 0 ? last_duration : usual));
}

FramePtr PictureFilter::receive() {
  FramePtr frame = from_graph();
  if (!frame && waiting_) {
    built_ = {};
    open(*waiting_);
    add(std::move(waiting_));
    frame = from_graph();
  }
  return frame;
}

FramePtr PictureFilter::from_graph() {
  if (!built_.graph) return nullptr;
  FramePtr frame = make_frame();
  LogCapture log;
  const int result = av_buffersink_get_frame(built_.sink, frame.get());
  if (result == AVERROR_EOF || result == AVERROR(EAGAIN)) return nullptr;
  if (result < 0) refuse_graph(settings_.filters, log, result);
  if (++received_ > kMostOfOne * sent_ + kMostBeside) {
    throw Error(ErrorCode::kUsage,
                format("filter graph '{}' makes pictures without end: {} of {} that went in; give "
                       "loop and the like a number of times",
                       settings_.filters,
                       received_,
                       sent_));
  }
  return frame;
}

}  // namespace vsr::media
