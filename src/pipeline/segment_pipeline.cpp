#include "vsr/pipeline/segment_pipeline.hpp"

#include "picture_ring.hpp"
#include "vsr/base/bounded_queue.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/media/packet_writer.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace vsr::pipeline {

namespace {

// Pictures on their way to the network: slots of a ring, reused as soon as their copy is done, or
// the decoder's own on the GPU.
constexpr std::size_t kUploadSlots = 4;
static_assert(kUploadSlots <= DevicePicture::kMostHeld);
// Download slots wait for the encoders, which read pictures where they are. A window's pictures
// come in a burst after its features: room for all of them, beside those that encoders are at, lets
// the network go on with the next window while the encoders work them off.
constexpr std::size_t kLeastDownloadSlots = 8;
constexpr std::size_t kDownloadBytes = std::size_t{1} << 31;  // 2 GiB
constexpr int kStopNow = 2;

// `inside`: those that encoders hold.
std::size_t download_slots(std::size_t slot_bytes, std::size_t inside, int max_seq_len) {
  const std::size_t wanted = static_cast<std::size_t>(max_seq_len) + inside;
  return std::clamp(
      kDownloadBytes / slot_bytes, kLeastDownloadSlots, std::max(kLeastDownloadSlots, wanted));
}

// What the network gives, on its way to the mezzanine: pictures to be encoded, or packets.
struct Downloads {
  Downloads(const model::PictureUpscaler& upscaler, const PipelineOptions& options) {
    const PictureFormat& format = upscaler.output_format();
    if (const std::size_t bytes = upscaler.usual_packet_bytes(); bytes > 0) {
      packets.emplace(bytes, download_slots(bytes, 0, options.max_seq_len), options.pinned);
    } else {
      const std::size_t inside =
          media::SegmentWriter::pictures_inside(format, options.encode_threads);
      pictures.emplace(format,
                       download_slots(packed_bytes(format), inside, options.max_seq_len),
                       options.pinned);
    }
  }

  BufferRing& ring() { return packets ? static_cast<BufferRing&>(*packets) : *pictures; }

  std::optional<PictureRing> pictures;
  std::optional<PacketRing> packets;
};

class Stopwatch {
 public:
  void start() { begin_ = std::chrono::steady_clock::now(); }

  void stop() {
    total_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  double total_s() const { return total_s_; }

 private:
  std::chrono::steady_clock::time_point begin_;
  double total_s_ = 0;
};

// Remembers the first failure of any stage and wakes all others.
class FirstFailure {
 public:
  explicit FirstFailure(std::function<void()> wake) : wake_(std::move(wake)) {}

  void set(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    wake_();
  }

  void rethrow() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::exception_ptr failure_;  // guarded by mutex_
};

struct Finished {
  std::size_t slot;
  gpu::Event ready;
};

// What has to stay as it is until the device has read a picture.
struct Upload {
  gpu::Event read;
  std::optional<std::size_t> slot;    // of the ring
  std::shared_ptr<const void> owner;  // of a picture on the GPU
};

// Whether pictures stay on the GPU where it decodes them, and if not, why.
media::DecodeDevice resolved(media::DecodeDevice device,
                             const media::Timeline& timeline,
                             const model::PictureUpscaler& upscaler) {
  if (!device.nvdec || !device.stay_on_gpu) return device;
  if (!timeline.filters.empty()) {
    device.stay_on_gpu = false;
    log::info("pipeline", "pictures decoded on the GPU come to the host: filters work there");
  } else if (!upscaler.takes_device_pictures()) {
    device.stay_on_gpu = false;
    log::info("pipeline",
              "pictures decoded on the GPU come to the host: only the fused network takes them "
              "where they are");
  } else {
    log::info("pipeline", "pictures stay on the GPU from decoder to network");
  }
  return device;
}

// Woken by another stage's failure; that failure is the one to report.
struct Woken {};

}  // namespace

struct SegmentPipeline::Impl {
  Impl(const media::Timeline& timeline_in,
       model::PictureUpscaler& upscaler_in,
       const PipelineOptions& options_in)
      : timeline(timeline_in),
        upscaler(upscaler_in),
        options(options_in),
        decode_device(resolved(options_in.decode_device, timeline_in, upscaler_in)),
        uploads(upscaler_in.input_format(), kUploadSlots, options_in.pinned),
        downloads(upscaler_in, options_in) {}

  const media::Timeline& timeline;
  model::PictureUpscaler& upscaler;
  const PipelineOptions options;
  const media::DecodeDevice decode_device;
  PictureRing uploads;
  Downloads downloads;

  // Kept from segment to segment: the reader, and the pictures it gave last, since the halo of the
  // next segment reaches back into this one.
  std::optional<media::FrameReader> reader;
  std::deque<model::LrFrame> recent;  // ends at reader->position()
};

namespace {

// The state of one run(): what its three threads share.
class Run {
 public:
  Run(const media::Timeline& timeline,
      model::PictureUpscaler& upscaler,
      const PipelineOptions& options,
      const media::DecodeDevice& decode_device,
      PictureRing& uploads,
      Downloads& downloads,
      std::optional<media::FrameReader>& reader,
      std::deque<model::LrFrame>& recent,
      const Segment& segment,
      int max_seq_len,
      const std::atomic<int>& stop,
      const FrameProgress& progress)
      : timeline_(timeline),
        upscaler_(upscaler),
        options_(options),
        decode_device_(decode_device),
        uploads_(uploads),
        downloads_(downloads),
        reader_(reader),
        recent_(recent),
        segment_(segment),
        max_seq_len_(max_seq_len),
        stop_(stop),
        progress_(progress),
        decoded_(static_cast<std::size_t>(std::max(options.prefetch, max_seq_len))),
        finished_(downloads.ring().size()),
        failure_([this] {
          decoded_.abort();
          finished_.abort();
          uploads_.abort();
          downloads_.ring().abort();
        }) {}

  SegmentResult go(const std::filesystem::path& path) {
    const auto begin = std::chrono::steady_clock::now();
    uploads_.refill();
    downloads_.ring().refill();
    std::thread decoder([this] { guarded([this] { decode(); }); });
    std::thread encoder([this, &path] { guarded([this, &path] { encode(path); }); });
    guarded([this] { upscale(); });
    finished_.close();
    encoder.join();
    decoded_.abort();  // a decoder still ahead has nothing to wait for
    uploads_.abort();
    decoder.join();
    failure_.rethrow();
    result_.events.insert(result_.events.end(), remarks_.begin(), remarks_.end());
    // On a GPU the network's thread only queues: then the encoder's waiting for pictures tells how
    // long the device was at it. Both can go on at once, so the longer of them is the least it
    // took.
    result_.busy_s = {{"decode", decode_watch_.total_s()},
                      {"network", std::max(network_watch_.total_s(), device_watch_.total_s())},
                      {"encode", result_.mezzanine.busy_s}};
    result_.wall_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(result_);
  }

 private:
  template <typename Stage>
  void guarded(const Stage& stage) {
    try {
      stage();
    } catch (const Woken&) {  // the stage that failed has told
    } catch (...) {
      failure_.set(std::current_exception());
    }
  }

  void check_stop() const {
    if (stop_.load() >= kStopNow) throw Error(ErrorCode::kInterrupted, "stopped");
  }

  // --- decode thread ---------------------------------------------------------------------------

  // Hands on pictures kept from the segment before, and brings the reader to where they end.
  media::FrameReader& enter_segment() {
    const std::int64_t first = segment_.input.begin;
    const std::int64_t kept_end = reader_ ? reader_->position() : 0;
    const std::int64_t kept_begin = kept_end - static_cast<std::int64_t>(recent_.size());
    if (!reader_ || first < kept_begin || first > kept_end) {
      recent_.clear();
      reader_.reset();
      return reader_.emplace(timeline_, first, options_.decode_threads, decode_device_);
    }
    for (std::int64_t frame = first; frame < std::min(kept_end, segment_.input.end); ++frame) {
      if (!decoded_.push(recent_[static_cast<std::size_t>(frame - kept_begin)])) throw Woken{};
    }
    return *reader_;
  }

  void decode() {
    try {
      decode_watch_.start();
      media::FrameReader& reader = enter_segment();
      decode_watch_.stop();
      while (reader.position() < segment_.input.end) {
        check_stop();
        decode_watch_.start();
        const std::int64_t frame = reader.position();
        PictureView picture;
        std::optional<DevicePicture> on_device;
        if (!reader.read(picture, on_device)) {
          throw Error(
              ErrorCode::kInput,
              format("the film ends at frame {}, {} were expected", frame, timeline_.frames()));
        }
        const model::LrFrame uploaded = on_device ? take(*on_device) : upload(picture);
        release_uploads();
        remember(uploaded);
        decode_watch_.stop();
        if (!decoded_.push(uploaded)) throw Woken{};
      }
      remarks_ = reader.remarks(segment_.input.begin, segment_.input.end);
    } catch (...) {
      abandon_uploads();
      // A reader that was interrupted or failed is in an unknown place.
      reader_.reset();
      recent_.clear();
      throw;
    }
    for (const Upload& upload : pending_uploads_) upload.read.wait();
    decoded_.close();
  }

  model::LrFrame upload(const PictureView& picture) {
    decode_watch_.stop();
    const auto slot = uploads_.acquire();
    if (!slot) throw Woken{};
    decode_watch_.start();
    copy_picture(picture, uploads_.view(*slot));
    gpu::Event copied;
    model::LrFrame uploaded = upscaler_.upload(uploads_.view(*slot), &copied);
    pending_uploads_.push_back({.read = std::move(copied), .slot = slot});
    return uploaded;
  }

  // A picture on the GPU stays the decoder's, which must not write to it before it has been read.
  model::LrFrame take(const DevicePicture& picture) {
    gpu::Event read;
    model::LrFrame taken = upscaler_.take(picture, &read);
    pending_uploads_.push_back({.read = std::move(read), .owner = picture.owner});
    return taken;
  }

  // One upload stays in flight while the next picture is decoded.
  void release_uploads() {
    while (!pending_uploads_.empty() &&
           (pending_uploads_.size() >= kUploadSlots || pending_uploads_.front().read.done())) {
      pending_uploads_.front().read.wait();
      if (const auto slot = pending_uploads_.front().slot) uploads_.release(*slot);
      pending_uploads_.pop_front();
    }
  }

  // After a failure, which is the one to report: what is still being read must not be reused.
  void abandon_uploads() noexcept {
    try {
      for (const Upload& upload : pending_uploads_) upload.read.wait();
    } catch (const std::exception& error) {
      log::warning("pipeline", "{}", error.what());
    }
  }

  void remember(const model::LrFrame& frame) {
    recent_.push_back(frame);
    const auto most = 2 * static_cast<std::size_t>(options_.overlap);
    while (recent_.size() > most) recent_.pop_front();
  }

  // --- network: the calling thread -------------------------------------------------------------

  class Sink : public model::OutputSink {
   public:
    explicit Sink(Run& run) : run_(run) {}

    MutablePictureView acquire(std::size_t) override {
      acquire_slot();
      return run_.downloads_.pictures->view(slot_);
    }

    std::span<std::byte> acquire_packet(std::size_t, std::size_t bytes) override {
      acquire_slot();
      return run_.downloads_.packets->begin_packet(slot_, bytes);
    }

    void deliver(std::size_t, gpu::Event ready) override {
      ++delivered_;
      if (!run_.finished_.push({slot_, std::move(ready)})) throw Woken{};
    }

    std::int64_t delivered() const { return delivered_; }

   private:
    void acquire_slot() {
      run_.network_watch_.stop();
      run_.check_stop();
      const auto slot = run_.downloads_.ring().acquire();
      run_.network_watch_.start();
      if (!slot) throw Woken{};
      slot_ = *slot;
    }

    Run& run_;
    std::size_t slot_ = 0;
    std::int64_t delivered_ = 0;
  };

  void upscale() {
    int longest = max_seq_len_;
    std::int64_t position = segment_.input.begin;
    std::vector<model::LrFrame> held;  // pictures [held_begin, held_begin + size)
    std::int64_t held_begin = position;
    // A sequence goes on from window to window; one that failed begins another, which needs to see
    // the frames before it once more.
    bool goes_on = false;
    while (position < segment_.input.end) {
      check_stop();
      if (!goes_on) upscaler_.begin_sequence();
      const Window window = next_window(
          segment_, position, longest, options_.overlap, goes_on ? Past::kRemembered : Past::kSeen);
      const std::int64_t keep = std::max(
          held_begin, std::min<std::int64_t>(window.input.begin, position - options_.overlap));
      held.erase(held.begin(), held.begin() + (keep - held_begin));
      held_begin = keep;
      while (held_begin + static_cast<std::int64_t>(held.size()) < window.input.end) {
        auto frame = decoded_.pop();
        if (!frame) throw Woken{};
        held.push_back(std::move(*frame));
      }
      Sink sink(*this);
      network_watch_.start();
      try {
        upscaler_.run(
            std::span(held).subspan(static_cast<std::size_t>(window.input.begin - held_begin),
                                    static_cast<std::size_t>(window.input.size())),
            {window.core.begin - window.input.begin, window.core.end - window.input.begin},
            sink);
        network_watch_.stop();
        goes_on = upscaler_.remembers();
      } catch (const OutOfMemory& error) {
        network_watch_.stop();
        goes_on = false;
        if (longest == 1) throw;
        const int shorter =
            static_cast<int>(std::min<std::int64_t>(longest, window.input.size())) / 2;
        const std::string event = format("out of memory at frame {}: window {} -> {} ({})",
                                         position,
                                         longest,
                                         std::max(1, shorter),
                                         error.what());
        log::warning("pipeline", "segment {}: {}", segment_.index, event);
        result_.events.push_back(event);
        longest = std::max(1, shorter);
      }
      if (sink.delivered() > 0) {
        result_.windows.emplace_back(position, static_cast<int>(window.input.size()));
      }
      position += sink.delivered();
    }
  }

  // --- encode thread, which hands on what the writer's threads encode ---------------------------

  void encode(const std::filesystem::path& path) {
    if (options_.open_writer) {
      const auto writer = options_.open_writer(segment_, path);
      const auto check = [this] { check_stop(); };
      hand_on([&](std::size_t slot, std::int64_t frame) {
        if (segment_.core.contains(frame)) writer->write(downloads_.pictures->view(slot), check);
        downloads_.ring().release(slot);
      });
      finish(segment_.core.size(), [&] { return writer->finish(check); });
    } else if (downloads_.packets) {
      media::PacketWriter writer(path,
                                 upscaler_.output_format(),
                                 options_.output_colour,
                                 timeline_.rate,
                                 options_.sample_aspect,
                                 segment_.input.begin);
      hand_on([&](std::size_t slot, std::int64_t) {
        writer.write(downloads_.packets->packet(slot));
        downloads_.ring().release(slot);
      });
      finish(segment_.input.size(), [&] { return writer.finish(); });
    } else {
      media::SegmentWriter writer(path,
                                  options_.codec,
                                  upscaler_.output_format(),
                                  options_.output_colour,
                                  timeline_.rate,
                                  options_.sample_aspect,
                                  segment_.input.begin,
                                  options_.encode_threads);
      hand_on([&](std::size_t slot, std::int64_t) {
        writer.lend(downloads_.pictures->view(slot),
                    [this, slot] { downloads_.ring().release(slot); });
      });
      finish(segment_.input.size(), [&] { return writer.finish(); });
    }
  }

  // Gives every finished slot to `take`, with the frame in it.
  template <typename Take>
  void hand_on(const Take& take) {
    std::int64_t frames = 0;
    while (auto item = finished_.pop()) {
      device_watch_.start();
      item->ready.wait();
      device_watch_.stop();
      take(item->slot, segment_.input.begin + frames);
      progress_(++frames);
    }
    if (frames != segment_.input.size()) throw Woken{};  // cut short by a failure elsewhere
  }

  template <typename Finish>
  void finish(std::int64_t frames, const Finish& finish_file) {
    result_.mezzanine = finish_file();
    if (result_.mezzanine.frames != frames) {
      throw Error(ErrorCode::kInternal,
                  format("a file of {} pictures, {} expected", result_.mezzanine.frames, frames));
    }
  }

  const media::Timeline& timeline_;
  model::PictureUpscaler& upscaler_;
  const PipelineOptions& options_;
  const media::DecodeDevice& decode_device_;
  PictureRing& uploads_;
  Downloads& downloads_;
  std::optional<media::FrameReader>& reader_;  // decode thread only
  std::deque<model::LrFrame>& recent_;         // decode thread only
  const Segment& segment_;
  const int max_seq_len_;
  const std::atomic<int>& stop_;
  const FrameProgress& progress_;
  BoundedQueue<model::LrFrame> decoded_;
  BoundedQueue<Finished> finished_;
  FirstFailure failure_;
  std::deque<Upload> pending_uploads_;  // decode thread only
  Stopwatch decode_watch_;              // decode thread only
  Stopwatch network_watch_;             // calling thread only
  Stopwatch device_watch_;              // encode thread only: waiting for the device
  std::vector<std::string> remarks_;    // decode thread only: on the film's pictures
  SegmentResult result_;                // each field by one thread, read after the joins
};

}  // namespace

SegmentPipeline::SegmentPipeline(const media::Timeline& timeline,
                                 model::PictureUpscaler& upscaler,
                                 const PipelineOptions& options)
    : impl_(std::make_unique<Impl>(timeline, upscaler, options)) {}

SegmentPipeline::~SegmentPipeline() = default;

SegmentResult SegmentPipeline::run(const Segment& segment,
                                   const std::filesystem::path& path,
                                   const std::atomic<int>& stop,
                                   const FrameProgress& progress) {
  int longest = impl_->options.max_seq_len;
  std::vector<std::string> events;
  while (true) {
    Run run(impl_->timeline,
            impl_->upscaler,
            impl_->options,
            impl_->decode_device,
            impl_->uploads,
            impl_->downloads,
            impl_->reader,
            impl_->recent,
            segment,
            longest,
            stop,
            progress);
    try {
      SegmentResult result = run.go(path);
      result.events.insert(result.events.begin(), events.begin(), events.end());
      return result;
    } catch (const OutOfMemory& error) {
      // Not in the network, which deals with it there, but where a picture goes up beside it.
      if (longest == 1) throw;
      const int shorter =
          std::max(1, static_cast<int>(std::min<std::int64_t>(longest, segment.input.size())) / 2);
      events.push_back(format("out of memory beside a window of {}: the segment again with {} ({})",
                              longest,
                              shorter,
                              error.what()));
      log::warning("pipeline", "segment {}: {}", segment.index, events.back());
      longest = shorter;
    }
  }
}

}  // namespace vsr::pipeline
