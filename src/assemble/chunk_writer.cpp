#include "vsr/assemble/chunk_writer.hpp"

#include "media/segment_packets.hpp"
#include "metadata.hpp"
#include "output_file.hpp"
#include "video_stream.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/format.hpp"

#include <chrono>
#include <exception>
#include <future>
#include <limits>
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

}  // namespace

struct ChunkWriter::Impl {
  Impl(const std::filesystem::path& path_in, AssembleSpec spec_in, std::int64_t frames)
      : path(path_in), spec(std::move(spec_in)), file(path, kContainer), muxed(done.get_future()) {
    try {
      start(frames);
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

  void start(std::int64_t frames) {
    const VideoTarget target = plan_target(spec);
    const HdrMetadata hdr = read_hdr(spec.source.string(), spec.colour);
    std::vector<std::string> told;  // when the settings were first tried
    frame_time = media::to_av(target.rate.inverse());
    video = encode_pictures(
        spec, target, hdr, frames, [this] { return next_picture(); }, told);
    AVStream& stream = file.add_stream();
    media::check_av(avcodec_parameters_copy(stream.codecpar, &video->parameters()),
                    ErrorCode::kInternal,
                    "describing a chunk");
    stream.time_base = frame_time;
    stream.avg_frame_rate = media::to_av(target.rate);
    file.write_header();
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
      while (video->read(*packet)) take(*packet);
    } catch (...) {
      failure = std::current_exception();
      pictures.abort();
    }
    done.set_value();
  }

  void take(const AVPacket& packet) {
    made.checksums.push_back(
        media::packet_checksum({packet.data, static_cast<std::size_t>(packet.size)}));
    media::PacketPtr taken(av_packet_clone(&packet));
    if (!taken) throw Error(ErrorCode::kInternal, "out of memory");
    // The container has no times below 0; whoever reads it counts from the first packet.
    if (made.frames == 0) shift = -packet.dts;
    taken->pts += shift;
    taken->dts += shift;
    file.add(std::move(taken), 0, frame_time);
    file.write_until(std::numeric_limits<std::int64_t>::max());
    ++made.frames;
  }

  const std::filesystem::path path;
  const AssembleSpec spec;
  OutputFile file;
  AVRational frame_time{};
  BoundedQueue<media::FramePtr> pictures{kPicturesQueued};
  std::int64_t written = 0;
  const Clock::time_point begin = Clock::now();
  double starved_s = 0;  // of the encoder's thread; read when all is muxed
  // Of the muxing thread; read when that is done, or has aborted `pictures`.
  media::WrittenMezzanine made;
  std::int64_t shift = 0;
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
  impl.file.finish();
  impl.made.bytes = std::filesystem::file_size(impl.path);
  impl.made.busy_s = seconds_since(impl.begin) - impl.starved_s;
  return std::move(impl.made);
}

}  // namespace vsr::assemble
