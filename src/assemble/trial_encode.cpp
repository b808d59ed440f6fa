#include "vsr/assemble/trial_encode.hpp"

#include "metadata.hpp"
#include "scaler.hpp"
#include "video_stream.hpp"
#include "vsr/base/format.hpp"
#include "watched_stream.hpp"

#include <ctime>
#include <memory>
#include <string>

namespace vsr::assemble {

namespace {

// What plain Lanczos makes of a picture for the network: one of the mezzanines'.
std::string enlarging_graph(const AssembleSpec& spec, const PictureFormat& from, AVPixelFormat to) {
  const bool rgb = spec.picture.model == ColourModel::kRgb;
  const std::string graph = format("format={},zscale=w={}:h={}:filter=lanczos",
                                   from.model == ColourModel::kRgb ? "gbrp16le" : "yuv444p16le",
                                   spec.picture.width,
                                   spec.picture.height);
  // RGB mezzanines are of full range whatever the film was.
  return graph + format(":matrix={}:range={},format={}",
                        rgb ? "gbr" : zscale_matrix(spec.colour.matrix),
                        rgb || spec.colour.full_range ? "full" : "limited",
                        media::format_name(to));
}

double processor_time_of_thread() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Gives the enlarged pictures one after another.
class Enlarged {
 public:
  Enlarged(const AssembleSpec& spec,
           const ColourDescription& colour,
           const std::vector<PictureView>& pictures)
      : spec_(spec),
        colour_(colour),
        pictures_(pictures),
        scaler_(enlarging_graph(spec, pictures.at(0).format, media::av_pixel_format(spec.picture)),
                media::av_pixel_format(spec.picture)) {}

  media::FramePtr next() {
    const auto number = static_cast<std::size_t>(given_);
    if (number == pictures_.size()) return nullptr;
    const double begin = processor_time_of_thread();
    const PictureView& picture = pictures_[number];
    media::FramePtr frame = media::allocate_frame(picture.format);
    copy_picture(picture, media::mutable_view_of(*frame));
    frame->pts = given_++;
    media::tag_colour(*frame, colour_, picture.format);
    frame = scaler_.scale(std::move(frame));
    tag_picture(*frame, spec_);
    busy_s_ += processor_time_of_thread() - begin;
    return frame;
  }

  // Once the encode is over.
  double busy_s() const { return busy_s_; }

 private:
  const AssembleSpec& spec_;
  const ColourDescription& colour_;
  const std::vector<PictureView>& pictures_;
  Scaler scaler_;
  std::int64_t given_ = 0;
  double busy_s_ = 0;
};

}  // namespace

TrialEncode try_encode(const AssembleSpec& spec,
                       const ColourDescription& colour,
                       const std::vector<PictureView>& pictures,
                       const std::function<bool(std::int64_t)>& progress) {
  const VideoTarget target = plan_target(spec);
  std::vector<std::string> told;  // when the settings were first tried
  const auto enlarged = std::make_shared<Enlarged>(spec, colour, pictures);
  std::unique_ptr<VideoStream> video = encode_pictures(
      spec,
      target,
      read_hdr(spec.source.string(), spec.colour),
      static_cast<std::int64_t>(pictures.size()),
      [enlarged] { return enlarged->next(); },
      told);
  TrialEncode trial;
  const bool whole = read_watched(*video, progress, [&](const AVPacket&) { ++trial.frames; });
  if (!whole) video->stop();
  video.reset();  // its threads are over, and so is what they counted
  trial.enlarging_s = enlarged->busy_s();
  return trial;
}

}  // namespace vsr::assemble
