#include "scaler.hpp"

#include "vsr/base/format.hpp"

#include <utility>

namespace vsr::assemble {

using media::FramePtr;

const char* zscale_matrix(Matrix matrix) {
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
  return "709";
}

Scaler::Scaler(std::string graph, AVPixelFormat to) : description_(std::move(graph)), to_(to) {}

void Scaler::open(const AVFrame& first) {
  graph_.reset(avfilter_graph_alloc());
  if (!graph_) throw Error(ErrorCode::kInternal, "out of memory");
  // The other stages have the other cores; one thread scales 4096x1728 at 28 pictures a second.
  graph_->nb_threads = 1;
  const auto check = [](int result) {
    media::check_av(result, ErrorCode::kInternal, "setting up the scaler");
  };
  AVBufferSrcParameters* parameters = av_buffersrc_parameters_alloc();
  if (parameters == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  parameters->format = first.format;
  parameters->width = first.width;
  parameters->height = first.height;
  parameters->time_base = {1, 1};  // pts count pictures
  parameters->sample_aspect_ratio = first.sample_aspect_ratio;
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
  parameters->color_space = first.colorspace;
  parameters->color_range = first.color_range;
#endif
  source_ = avfilter_graph_alloc_filter(graph_.get(), avfilter_get_by_name("buffer"), "in");
  const int set =
      source_ == nullptr ? AVERROR(ENOMEM) : av_buffersrc_parameters_set(source_, parameters);
  av_free(parameters);
  check(set);
  check(avfilter_init_str(source_, nullptr));
  check(avfilter_graph_create_filter(
      &sink_, avfilter_get_by_name("buffersink"), "out", nullptr, nullptr, graph_.get()));
  // The ends as the graph's text sees them: its input is what our source gives.
  media::AvPtr<AVFilterInOut> outputs(avfilter_inout_alloc());
  media::AvPtr<AVFilterInOut> inputs(avfilter_inout_alloc());
  if (!outputs || !inputs) throw Error(ErrorCode::kInternal, "out of memory");
  outputs->name = av_strdup("in");
  outputs->filter_ctx = source_;
  inputs->name = av_strdup("out");
  inputs->filter_ctx = sink_;
  AVFilterInOut* input_list = inputs.release();
  AVFilterInOut* output_list = outputs.release();
  const int parsed = avfilter_graph_parse_ptr(
      graph_.get(), description_.c_str(), &input_list, &output_list, nullptr);
  inputs.reset(input_list);
  outputs.reset(output_list);
  check(parsed);
  check(avfilter_graph_config(graph_.get(), nullptr));
}

FramePtr Scaler::scale(FramePtr frame) {
  if (!graph_) open(*frame);
  const std::int64_t pts = frame->pts;
  media::check_av(av_buffersrc_add_frame(source_, frame.get()),
                  ErrorCode::kInternal,
                  format("scaling frame {}", pts));
  FramePtr scaled = media::make_frame();
  media::check_av(av_buffersink_get_frame(sink_, scaled.get()),
                  ErrorCode::kInternal,
                  format("scaling frame {}", pts));
  if (scaled->format != to_) throw Error(ErrorCode::kInternal, "the scaler gave another format");
  scaled->pts = pts;
  return scaled;
}

}  // namespace vsr::assemble
