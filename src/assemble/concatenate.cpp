// Packet-exact joining of the segments' cores.
#include "media/segment_muxer.hpp"
#include "media/segment_packets.hpp"
#include "video_stream.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <system_error>

namespace vsr::assemble {

namespace {

// No codec shows a picture more packets than this after the one where it stands. Chunks do not keep
// when their packets are decoded, and neither does the film.
constexpr std::int64_t kMostReordered = 16;

// What has to agree for the packets of two files to make one stream.
bool same_stream(const AVCodecParameters& a, const AVCodecParameters& b) {
  return a.codec_id == b.codec_id && a.codec_tag == b.codec_tag && a.width == b.width &&
         a.height == b.height && a.format == b.format &&
         std::equal(a.extradata,
                    a.extradata + a.extradata_size,
                    b.extradata,
                    b.extradata + b.extradata_size);
}

class JoinedVideo final : public VideoStream {
 public:
  explicit JoinedVideo(const AssembleSpec& spec) : spec_(spec), packets_(first_packets()) {
    parameters_.reset(avcodec_parameters_alloc());
    if (!parameters_) throw Error(ErrorCode::kInternal, "out of memory");
    media::check_av(avcodec_parameters_copy(parameters_.get(), &packets_.parameters()),
                    ErrorCode::kInternal,
                    "copying stream parameters");
  }

  const AVCodecParameters& parameters() const override { return *parameters_; }

  bool read(AVPacket& packet) override {
    while (!packets_.read(packet)) {
      if (segment_ + 1 == spec_.segments.size()) return false;
      ++segment_;
      open_segment();
    }
    if (chunks()) {
      packet.pts = spec_.segments[segment_].core.begin +
                   av_rescale_q(packet.pts, packets_.time_base(), frame_time_);
      packet.dts = position_ - kMostReordered;
    } else {
      packet.pts = packet.dts = position_;
    }
    ++position_;
    packet.duration = 1;
    return true;
  }

 private:
  bool chunks() const { return spec_.codec == media::MezzanineCodec::kNone; }

  media::SegmentPackets first_packets() const {
    if (spec_.codec == media::MezzanineCodec::kPng) {
      throw Error(ErrorCode::kUsage,
                  "final.encoder=copy: pictures of segment.codec=png cannot be joined into a film; "
                  "choose prores, dnxhr or ffv1");
    }
    count_frames(spec_);
    return packets_of_segment();
  }

  media::SegmentPackets packets_of_segment() const {
    const SegmentFile& segment = spec_.segments[segment_];
    return {segment.path,
            spec_.codec,
            segment.core.begin - segment.input.begin,
            segment.core.size(),
            segment.checksums};
  }

  void open_segment() {
    packets_ = packets_of_segment();
    if (!same_stream(*parameters_, packets_.parameters())) {
      throw Error(ErrorCode::kStorage,
                  format("{}: its stream differs from that of {}; remove the segment and start "
                         "again, it will be made anew",
                         packets_.path().string(),
                         spec_.segments.front().path.string()));
    }
  }

  const AssembleSpec& spec_;
  const AVRational frame_time_ = media::to_av(final_rate(spec_).inverse());  // of chunks
  std::size_t segment_ = 0;
  std::int64_t position_ = 0;
  media::SegmentPackets packets_;
  media::AvPtr<AVCodecParameters> parameters_;
};

}  // namespace

std::int64_t count_frames(const AssembleSpec& spec) {
  std::int64_t frames = 0;
  for (const SegmentFile& segment : spec.segments) {
    if (segment.core.begin != frames || segment.core.empty() ||
        !segment.input.contains(segment.core)) {
      throw Error(ErrorCode::kInternal,
                  format("{}: holds frames {} to {}, but frame {} comes next",
                         segment.path.string(),
                         segment.core.begin,
                         segment.core.end,
                         frames));
    }
    frames = segment.core.end;
  }
  if (frames == 0) throw Error(ErrorCode::kInternal, "no segments to assemble");
  return frames;
}

std::unique_ptr<VideoStream> join_video(const AssembleSpec& spec) {
  return std::make_unique<JoinedVideo>(spec);
}

std::int64_t concatenate(const AssembleSpec& spec,
                         const std::filesystem::path& path,
                         const std::function<bool(std::int64_t)>& progress) {
  if (spec.codec == media::MezzanineCodec::kNone) {
    throw Error(ErrorCode::kUsage, "segment.codec=none leaves no mezzanines to join into a master");
  }
  JoinedVideo video(spec);
  std::int64_t frames = 0;
  try {
    media::SegmentMuxer muxer(
        path, spec.codec, video.parameters(), spec.timeline_rate, spec.sample_aspect);
    const media::PacketPtr packet = media::make_packet();
    while (video.read(*packet)) {
      muxer.write(*packet);
      ++frames;
      if (progress && !progress(frames)) {
        throw Error(ErrorCode::kInterrupted, "joining the segments was stopped");
      }
    }
    muxer.finish();
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part_name(path), ignored);
    throw;
  }
  publish(path);
  return frames;
}

}  // namespace vsr::assemble
