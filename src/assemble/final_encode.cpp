// The final video encode: pictures, of the mezzanines or as they are made -> final size and 4:2:0
// -> encoder, each on a thread of its own, with short queues between them.
#include "media/segment_packets.hpp"
#include "scaler.hpp"
#include "video_stream.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vsr::assemble {

namespace {

using media::FramePtr;
using media::PacketPtr;

constexpr std::size_t kFramesQueued = 4;
constexpr std::size_t kPacketsQueued = 32;
// Each holds a picture; eight decode 4096x1728 ProRes faster than any encoder here takes it.
constexpr int kMostDecoderThreads = 8;

// Note [How the picture is scaled]
// Lanczos by zscale from 16-bit samples to 10-bit 4:2:0 in one step. Compared with lanczos-3 in
// double precision on real frames (1280x720 to 640x360, 1024x432 to 854x360, 640x360 to 960x540):
//   zscale, 16-bit input     71.0 dB luma, 71.2 dB chroma: what the last rounding alone costs
//   zscale, 10-bit input     68.8 dB, 69.1 dB: rounds between the two directions too
//   swscale, accurate_rnd    70.2 to 70.9 dB, 71.1 dB if told the chroma siting, and 0.017 too dark
//   swscale as in scale=-2:H 55 to 65 dB chroma: takes left-sited chroma for centred
std::string scaling_graph(const AssembleSpec& spec, const VideoTarget& target, AVPixelFormat to) {
  const bool rgb = spec.picture.model == ColourModel::kRgb;
  const std::string siting = to_string(target.colour.siting);
  std::string graph;
  if (spec.options.height == 0 &&
      (target.width != spec.picture.width || target.height != spec.picture.height)) {
    graph += format("crop=w={}:h={}:x=0:y=0:exact=1,", target.width, target.height);
  }
  graph += format("format={},zscale=w={}:h={}:filter=lanczos:chromal={}",
                  rgb ? "gbrp16le" : "yuv422p16le",
                  target.width,
                  target.height,
                  siting);
  graph += rgb ? format(":matrix={}:range={}",
                        zscale_matrix(target.colour.matrix),
                        target.colour.full_range ? "full" : "limited")
               : format(":chromalin={}", siting);
  graph += ",format=yuv420p10le";
  if (to != AV_PIX_FMT_YUV420P10) graph += format(",format={}", media::format_name(to));
  return graph;
}

class EncodedVideo final : public VideoStream {
 public:
  EncodedVideo(const AssembleSpec& spec,
               const VideoTarget& target,
               const HdrMetadata& hdr,
               std::int64_t frames,
               PictureSource pictures,
               std::vector<std::string>& warnings);
  ~EncodedVideo() override;

  const AVCodecParameters& parameters() const override { return *parameters_; }

  bool read(AVPacket& packet) override;

  void stop() override { abort(); }

 private:
  void fetch();
  void scale();
  void encode();
  bool pass_on_packets();
  void mend_dts(AVPacket& packet);
  std::thread start(void (EncodedVideo::*stage)());
  void abort();

  const AssembleSpec& spec_;
  const VideoTarget target_;
  const std::int64_t frames_;
  PictureSource pictures_;
  VideoEncoderPtr encoder_;  // the encode thread's, once it runs, as is what mend_dts() keeps
  std::int64_t packets_made_ = 0;
  std::int64_t last_dts_ = std::numeric_limits<std::int64_t>::min();
  media::AvPtr<AVCodecParameters> parameters_;
  std::int64_t packets_given_ = 0;

  BoundedQueue<FramePtr> fetched_{kFramesQueued};
  BoundedQueue<FramePtr> scaled_{kFramesQueued};
  BoundedQueue<PacketPtr> packets_{kPacketsQueued};
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::exception_ptr failure_;  // the first one; guarded by mutex_
  std::vector<std::thread> stages_;
};

EncodedVideo::EncodedVideo(const AssembleSpec& spec,
                           const VideoTarget& target,
                           const HdrMetadata& hdr,
                           std::int64_t frames,
                           PictureSource pictures,
                           std::vector<std::string>& warnings)
    : spec_(spec),
      target_(target),
      frames_(frames),
      pictures_(std::move(pictures)),
      encoder_(open_video_encoder(
          spec.options, target, hdr, {spec.threads, spec.one_of_many}, warnings)),
      parameters_(avcodec_parameters_alloc()) {
  if (!parameters_) throw Error(ErrorCode::kInternal, "out of memory");
  media::check_av(avcodec_parameters_from_context(parameters_.get(), encoder_.get()),
                  ErrorCode::kInternal,
                  "describing the video stream");
  stages_.reserve(3);
  stages_.push_back(start(&EncodedVideo::fetch));
  stages_.push_back(start(&EncodedVideo::scale));
  stages_.push_back(start(&EncodedVideo::encode));
}

EncodedVideo::~EncodedVideo() {
  abort();
  for (std::thread& stage : stages_) stage.join();
}

void EncodedVideo::abort() {
  stopped_ = true;
  fetched_.abort();
  scaled_.abort();
  packets_.abort();
}

// A stage that fails ends all of them; read() then throws what it threw.
std::thread EncodedVideo::start(void (EncodedVideo::*stage)()) {
  return std::thread([this, stage] {
    try {
      (this->*stage)();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      abort();
    }
  });
}

void EncodedVideo::fetch() {
  while (FramePtr frame = pictures_()) {
    if (!fetched_.push(std::move(frame))) return;
  }
  fetched_.close();
}

void EncodedVideo::scale() {
  Scaler scaler(scaling_graph(spec_, target_, encoder_->pix_fmt), encoder_->pix_fmt);
  while (auto frame = fetched_.pop()) {
    if (!scaled_.push(scaler.scale(std::move(*frame)))) return;
  }
  scaled_.close();
}

void EncodedVideo::encode() {
  while (auto frame = scaled_.pop()) {
    (*frame)->pict_type = AV_PICTURE_TYPE_NONE;
    media::set_frame_duration(**frame, 1);
    while (true) {
      const int result = avcodec_send_frame(encoder_.get(), frame->get());
      if (result >= 0) break;
      if (result != AVERROR(EAGAIN)) {
        media::check_av(result, ErrorCode::kInternal, format("encoding frame {}", (*frame)->pts));
      }
      if (!pass_on_packets()) return;
    }
    if (!pass_on_packets()) return;
  }
  if (stopped_) return;  // an aborted queue looks like a finished one
  media::check_av(
      avcodec_send_frame(encoder_.get(), nullptr), ErrorCode::kInternal, "ending the encoder");
  if (pass_on_packets()) packets_.close();
}

// Hands on what the encoder has ready; false when nobody wants it any more.
bool EncodedVideo::pass_on_packets() {
  while (true) {
    PacketPtr packet = media::make_packet();
    const int result = avcodec_receive_packet(encoder_.get(), packet.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return true;
    media::check_av(result, ErrorCode::kInternal, "encoding the film");
    mend_dts(*packet);
    packet->duration = 1;
    if (!packets_.push(std::move(packet))) return false;
  }
}

// x265 (3.5) subtracts from all times of decoding what it learns from its third picture: in a film
// of one or two they are whatever its memory held. Such a film is decoded in the order of showing.
void EncodedVideo::mend_dts(AVPacket& packet) {
  constexpr std::int64_t kLongestDelay = 64;  // frames; no encoder here reorders more
  const bool sound = packet.dts > last_dts_ && packet.dts <= packet.pts &&
                     packet.dts >= packets_made_ - kLongestDelay;
  if (!sound) packet.dts = std::min(packets_made_, packet.pts);
  last_dts_ = packet.dts;
  ++packets_made_;
}

bool EncodedVideo::read(AVPacket& packet) {
  auto next = packets_.pop();
  if (!next) {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (packets_given_ != frames_) {
      throw Error(ErrorCode::kInternal,
                  format("the encoder gave {} of {} frames", packets_given_, frames_));
    }
    return false;
  }
  av_packet_unref(&packet);
  av_packet_move_ref(&packet, next->get());
  ++packets_given_;
  return true;
}

// The pictures of the segments' cores, one after another.
class MezzaninePictures {
 public:
  explicit MezzaninePictures(const AssembleSpec& spec)
      : spec_(spec), threads_(spec.threads > 0 ? spec.threads : usable_cpus()) {}

  FramePtr next() {
    FramePtr frame = media::make_frame();
    while (true) {
      if (!segment_) {
        if (index_ == spec_.segments.size()) return nullptr;
        open(spec_.segments[index_]);
      }
      if (segment_->read(*frame)) break;
      segment_.reset();
      ++index_;
    }
    check_size(*frame);
    frame->pts = position_++;
    tag_picture(*frame, spec_);
    return frame;
  }

 private:
  void open(const SegmentFile& segment) {
    segment_.emplace(segment.path,
                     spec_.codec,
                     segment.core.begin - segment.input.begin,
                     segment.core.size(),
                     segment.checksums,
                     std::min(threads_, kMostDecoderThreads),
                     segment.open);
  }

  void check_size(const AVFrame& frame) const {
    if (frame.width == spec_.picture.width && frame.height == spec_.picture.height) return;
    throw Error(ErrorCode::kStorage,
                format("{}: holds pictures of {}x{} instead of {}x{}; remove the segment and "
                       "start again, it will be made anew",
                       spec_.segments[index_].path.string(),
                       frame.width,
                       frame.height,
                       spec_.picture.width,
                       spec_.picture.height));
  }

  const AssembleSpec& spec_;
  const int threads_;
  std::size_t index_ = 0;
  std::int64_t position_ = 0;
  std::optional<media::SegmentFrames> segment_;
};

}  // namespace

void tag_picture(AVFrame& frame, const AssembleSpec& spec) {
  // RGB is always full range; the plan then speaks of the film.
  ColourDescription colour = spec.colour;
  colour.full_range = colour.full_range || spec.picture.model == ColourModel::kRgb;
  frame.sample_aspect_ratio = media::to_av(spec.sample_aspect);
  media::tag_colour(frame, colour, spec.picture);
}

std::unique_ptr<VideoStream> encode_pictures(const AssembleSpec& spec,
                                             const VideoTarget& target,
                                             const HdrMetadata& hdr,
                                             std::int64_t frames,
                                             PictureSource pictures,
                                             std::vector<std::string>& warnings) {
  return std::make_unique<EncodedVideo>(spec, target, hdr, frames, std::move(pictures), warnings);
}

std::unique_ptr<VideoStream> encode_video(const AssembleSpec& spec,
                                          const VideoTarget& target,
                                          const HdrMetadata& hdr,
                                          std::int64_t frames,
                                          std::vector<std::string>& warnings) {
  const auto pictures = std::make_shared<MezzaninePictures>(spec);
  return encode_pictures(
      spec, target, hdr, frames, [pictures] { return pictures->next(); }, warnings);
}

}  // namespace vsr::assemble
