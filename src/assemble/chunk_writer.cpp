#include "vsr/assemble/chunk_writer.hpp"

#include "media/segment_packets.hpp"
#include "metadata.hpp"
#include "output_file.hpp"
#include "video_stream.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/format.hpp"
#include "watched_stream.hpp"

#include <chrono>
#include <exception>
#include <future>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vsr::assemble {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPicturesQueued = 4;
// NUT keeps packets as the encoder made them, and times exact.
constexpr const char* kContainer = "nut";
constexpr auto kCheckEvery = std::chrono::milliseconds(100);

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The packets of a chunk on their way into its file.
class ChunkFile {
 public:
  // Begins the file for what `video` gives.
  ChunkFile(const std::filesystem::path& path, const VideoStream& video, const VideoTarget& target)
      : file_(path, kContainer), frame_time_(media::to_av(target.rate.inverse())) {
    AVStream& stream = file_.add_stream();
    media::check_av(avcodec_parameters_copy(stream.codecpar, &video.parameters()),
                    ErrorCode::kInternal,
                    "describing a chunk");
    stream.time_base = frame_time_;
    stream.avg_frame_rate = media::to_av(target.rate);
    file_.write_header();
  }

  void take(const AVPacket& packet) {
    made_.checksums.push_back(
        media::packet_checksum({packet.data, static_cast<std::size_t>(packet.size)}));
    media::PacketPtr taken(av_packet_clone(&packet));
    if (!taken) throw Error(ErrorCode::kInternal, "out of memory");
    // The container has no times below 0; whoever reads it counts from the first packet.
    if (made_.frames == 0) shift_ = -packet.dts;
    taken->pts += shift_;
    taken->dts += shift_;
    file_.add(std::move(taken), 0, frame_time_);
    file_.write_until(std::numeric_limits<std::int64_t>::max());
    ++made_.frames;
  }

  // Publishes it.
  media::WrittenMezzanine finish() {
    file_.finish();
    made_.bytes = std::filesystem::file_size(file_.path());
    return std::move(made_);
  }

 private:
  OutputFile file_;
  const AVRational frame_time_;
  std::int64_t shift_ = 0;
  media::WrittenMezzanine made_;
};

}  // namespace

media::WrittenMezzanine encode_chunk(const std::filesystem::path& path,
                                     const AssembleSpec& spec,
                                     const std::function<bool(std::int64_t)>& progress) {
  const Clock::time_point begin = Clock::now();
  const VideoTarget target = plan_target(spec);
  const HdrMetadata hdr = read_hdr(spec.source.string(), spec.colour, spec.open_source);
  std::vector<std::string> told;  // when the settings were first tried
  const std::unique_ptr<VideoStream> video =
      encode_video(spec, target, hdr, spec.segments.at(0).core.size(), told);
  ChunkFile file(path, *video, target);
  if (!read_watched(*video, progress, [&](const AVPacket& packet) { file.take(packet); })) {
    throw Error(ErrorCode::kInterrupted, "the encode of a chunk was stopped");
  }
  media::WrittenMezzanine made = file.finish();
  made.busy_s = seconds_since(begin);
  return made;
}

struct ChunkWriter::Impl {
  Impl(const std::filesystem::path& path, AssembleSpec spec_in, std::int64_t frames)
      : spec(std::move(spec_in)), muxed(done.get_future()) {
    try {
      start(path, frames);
    } catch (...) {
      pictures.abort();  // or the encoder's thread would wait for them
      throw;
    }
  }

  ~Impl() {
    if (!muxer.joinable()) return;
    pictures.abort();
    video->stop();
    muxer.join();
  }

  void start(const std::filesystem::path& path, std::int64_t frames) {
    const VideoTarget target = plan_target(spec);
    const HdrMetadata hdr = read_hdr(spec.source.string(), spec.colour, spec.open_source);
    std::vector<std::string> told;  // when the settings were first tried
    video = encode_pictures(
        spec, target, hdr, frames, [this] { return next_picture(); }, told);
    file.emplace(path, *video, target);
    muxer = std::thread([this] { mux(); });
  }

  // On a thread of the encoder, which is at work whenever it does not wait here.
  media::FramePtr next_picture() {
    const Clock::time_point asked = Clock::now();
    auto picture = pictures.pop();
    starved_s += seconds_since(asked);
    return picture ? std::move(*picture) : nullptr;
  }

  void mux() {
    try {
      const media::PacketPtr packet = media::make_packet();
      while (video->read(*packet)) file->take(*packet);
    } catch (...) {
      failure = std::current_exception();
      pictures.abort();
    }
    done.set_value();
  }

  const AssembleSpec spec;
  BoundedQueue<media::FramePtr> pictures{kPicturesQueued};
  std::int64_t written = 0;
  const Clock::time_point begin = Clock::now();
  double starved_s = 0;  // of the encoder's thread; read when all is muxed
  // Of the muxing thread; read when that is done, or has aborted `pictures`.
  std::optional<ChunkFile> file;
  std::exception_ptr failure;
  std::promise<void> done;
  std::future<void> muxed;
  std::unique_ptr<VideoStream> video;
  std::thread muxer;
};

ChunkWriter::ChunkWriter(const std::filesystem::path& path,
                         const AssembleSpec& spec,
                         std::int64_t frames)
    : impl_(std::make_unique<Impl>(path, spec, frames)) {}

ChunkWriter::~ChunkWriter() = default;

void ChunkWriter::write(const PictureView& picture, const std::function<void()>& check) {
  Impl& impl = *impl_;
  while (!impl.pictures.wait_for_room(kCheckEvery)) check();
  media::FramePtr frame = media::allocate_frame(picture.format);
  copy_picture(picture, media::mutable_view_of(*frame));
  frame->pts = impl.written++;
  tag_picture(*frame, impl.spec);
  if (!impl.pictures.push(std::move(frame))) std::rethrow_exception(impl.failure);
}

media::WrittenMezzanine ChunkWriter::finish(const std::function<void()>& check) {
  Impl& impl = *impl_;
  impl.pictures.close();
  while (impl.muxed.wait_for(kCheckEvery) != std::future_status::ready) check();
  impl.muxer.join();
  if (impl.failure) std::rethrow_exception(impl.failure);
  media::WrittenMezzanine made = impl.file->finish();
  made.busy_s = seconds_since(impl.begin) - impl.starved_s;
  return made;
}

}  // namespace vsr::assemble
