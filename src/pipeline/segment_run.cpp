#include "segment_run.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/log.hpp"
#include "vsr/media/packet_writer.hpp"

#include <algorithm>
#include <thread>

namespace vsr::pipeline {

namespace {

// How many of the ring of downloads may wait to be measured: as many as can, since a window's
// pictures come in a burst. Encoders hold pictures for long, so half is theirs; packets are written
// at once.
std::size_t most_to_measure(Downloads& downloads) {
  const std::size_t slots = downloads.ring().size();
  const std::size_t others = downloads.packets ? std::max<std::size_t>(2, slots / 6) : slots / 2;
  return slots > others ? slots - others : 1;
}

// What measuring may hold the stages up altogether: that much of the time.
constexpr double kMostHeldUp = 0.02;

// Woken by another stage's failure; that failure is the one to report.
struct Woken {};

}  // namespace

SegmentRun::SegmentRun(Stages& stages,
                       Place& place,
                       Downloads& downloads,
                       const Segment& segment,
                       int max_seq_len,
                       const std::atomic<int>& stop,
                       const SegmentListener& listener)
    : stages_(stages),
      place_(place),
      downloads_(downloads),
      options_(stages.options),
      segment_(segment),
      seam_frames_(seam_frames(segment)),
      max_seq_len_(max_seq_len),
      stop_(stop),
      listener_(listener),
      decoded_(static_cast<std::size_t>(std::max(stages.options.prefetch, max_seq_len))),
      finished_(downloads.ring().size()),
      to_measure_(most_to_measure(downloads)),
      meter_(segment, stages.options, stages.timeline.colour),
      times_(segment.core),
      failure_([this] {
        decoded_.abort();
        finished_.abort();
        to_measure_.abort();
        downloads_.ring().abort();
        const std::lock_guard lock(decoding_mutex_);
        if (decoding_) stages_.uploads.abort();
      }) {}

SegmentResult SegmentRun::go(const std::filesystem::path& path) {
  downloads_.ring().refill();
  listener_.gauge.decoded_size = std::max(options_.prefetch, max_seq_len_);
  listener_.gauge.upscaled_size = static_cast<int>(downloads_.ring().size());
  std::thread decoder;
  std::thread encoder;
  std::thread measurer;
  guarded([&] {
    decoder = std::thread([this] { guarded([this] { decode(); }); });
    if (measures()) {
      meter_.guarded([&] {
        measurer = std::thread([this, &path] { guarded([this, &path] { measure(path); }); });
      });
    }
    wait_for_network();
    encoder = std::thread([this, &path] { guarded([this, &path] { encode(path); }); });
    upscale();
    place_.leave_upscaling();
  });
  finished_.close();
  if (encoder.joinable()) encoder.join();
  to_measure_.close();
  if (measurer.joinable()) measurer.join();
  if (decoder.joinable()) decoder.join();
  failure_.rethrow();
  result_.events.insert(result_.events.end(), remarks_.begin(), remarks_.end());
  // On a GPU the network's thread only queues: then the encoder's waiting for pictures tells how
  // long the device was at it. Both can go on at once, so the longer of them is the least it took.
  result_.busy_s = {{"decode", decode_watch_.total_s()},
                    {"network", std::max(network_watch_.total_s(), device_watch_.total_s())},
                    {"encode", result_.mezzanine.busy_s}};
  if (measures()) {
    if (passed_over_ > 0) {
      result_.events.push_back(
          format("{} frames were not measured: the host had no time for it", passed_over_));
    }
    meter_.finish(result_);
    times_.take(result_.measures);
  }
  return std::move(result_);
}

template <typename Stage>
void SegmentRun::guarded(const Stage& stage) {
  try {
    stage();
  } catch (const Woken&) {  // the stage that failed has told
  } catch (...) {
    failure_.set(std::current_exception());
  }
}

void SegmentRun::check_stop() const {
  if (stop_.load() >= kStopNow) throw Error(ErrorCode::kInterrupted, "stopped");
}

// --- decode thread -------------------------------------------------------------------------------

// A failure that comes before this finds nothing to wake; one that comes later does.
void SegmentRun::begin_decoding() {
  if (!place_.wait_for_decoding([&] { return failure_.is_set(); })) throw Woken{};
  {
    const std::lock_guard lock(decoding_mutex_);
    stages_.uploads.refill();
    decoding_ = true;
  }
  if (failure_.is_set()) throw Woken{};
}

// Hands on pictures kept from the segment before, and brings the reader to where they end.
media::FrameReader& SegmentRun::enter_segment() {
  std::optional<media::FrameReader>& reader = stages_.reader;
  std::deque<Decoded>& recent = stages_.recent;
  const std::int64_t first = segment_.input.begin;
  const std::int64_t kept_end = reader ? reader->position() : 0;
  const std::int64_t kept_begin = kept_end - static_cast<std::int64_t>(recent.size());
  if (!reader || first < kept_begin || first > kept_end) {
    recent.clear();
    reader.reset();
    return reader.emplace(stages_.timeline, first, options_.decode_threads, stages_.decode_device);
  }
  for (std::int64_t frame = first; frame < std::min(kept_end, segment_.input.end); ++frame) {
    hand_on(recent[static_cast<std::size_t>(frame - kept_begin)]);
  }
  return *reader;
}

void SegmentRun::decode() {
  begin_decoding();
  try {
    decode_watch_.start();
    media::FrameReader& reader = enter_segment();
    decode_watch_.stop();
    while (reader.position() < segment_.input.end) {
      check_stop();
      const double before_s = decode_watch_.total_s();
      decode_watch_.start();
      const std::int64_t frame = reader.position();
      PictureView picture;
      std::optional<DevicePicture> on_device;
      if (!reader.read(picture, on_device)) {
        throw Error(
            ErrorCode::kInput,
            format(
                "the film ends at frame {}, {} were expected", frame, stages_.timeline.frames()));
      }
      const model::LrFrame uploaded = on_device ? take(*on_device) : upload(picture);
      const auto source = keep(frame, picture, on_device);
      release_uploads();
      decode_watch_.stop();
      if (source) source->decode_s = decode_watch_.total_s() - before_s;
      remember({uploaded, source});
      hand_on({uploaded, source});
    }
    remarks_ = reader.remarks(segment_.input.begin, segment_.input.end);
  } catch (...) {
    abandon_uploads();
    // A reader that was interrupted or failed is in an unknown place.
    stages_.reader.reset();
    stages_.recent.clear();
    throw;
  }
  for (const Upload& upload : pending_uploads_) upload.read.wait();
  decoded_.close();
}

model::LrFrame SegmentRun::upload(const PictureView& picture) {
  decode_watch_.stop();
  const auto slot = stages_.uploads.acquire();
  if (!slot) throw Woken{};
  decode_watch_.start();
  copy_picture(picture, stages_.uploads.view(*slot));
  gpu::Event copied;
  model::LrFrame uploaded = stages_.upscaler.upload(stages_.uploads.view(*slot), &copied);
  pending_uploads_.push_back({.read = std::move(copied), .slot = slot});
  return uploaded;
}

// A picture on the GPU stays the decoder's, which must not write to it before it has been read.
model::LrFrame SegmentRun::take(const DevicePicture& picture) {
  gpu::Event read;
  model::LrFrame taken = stages_.upscaler.take(picture, &read);
  pending_uploads_.push_back({.read = std::move(read), .owner = picture.owner});
  return taken;
}

// One upload stays in flight while the next picture is decoded.
void SegmentRun::release_uploads() {
  while (!pending_uploads_.empty() &&
         (pending_uploads_.size() >= kUploadSlots || pending_uploads_.front().read.done())) {
    pending_uploads_.front().read.wait();
    if (const auto slot = pending_uploads_.front().slot) stages_.uploads.release(*slot);
    pending_uploads_.pop_front();
  }
}

// After a failure, which is the one to report: what is still being read must not be reused.
void SegmentRun::abandon_uploads() noexcept {
  try {
    for (const Upload& upload : pending_uploads_) upload.read.wait();
  } catch (const std::exception& error) {
    log::warning("pipeline", "{}", error.what());
  }
}

// What it is measured by is there before it is upscaled.
void SegmentRun::hand_on(const Decoded& frame) {
  if (frame.source) {
    times_.decoded(frame.source->frame, frame.source->decode_s);
    meter_.add(frame.source);
  }
  if (!decoded_.push(frame.picture)) throw Woken{};
  listener_.gauge.decoded = static_cast<int>(decoded_.size());
}

// Nothing where nothing is measured; without the picture where measuring has failed.
std::shared_ptr<SourceFrame> SegmentRun::keep(std::int64_t frame,
                                              const PictureView& picture,
                                              const std::optional<DevicePicture>& on_device) {
  const int every = options_.quality.every;
  if (!measures()) return nullptr;
  std::shared_ptr<SourceFrame> source;
  meter_.guarded([&] {
    if (!keeps_source(frame, every)) return;
    const PictureView on_host = on_device ? copy_down(*on_device) : picture;
    source = keep_source(frame, every, &on_host);
  });
  return source ? source : keep_source(frame, every, nullptr);
}

// By way of the ring of uploads, which is pinned and has nothing to do where pictures stay on the
// GPU. What this thread waits for is the decoder, which it would do with the next picture.
PictureView SegmentRun::copy_down(const DevicePicture& picture) {
  const auto slot = stages_.uploads.acquire();
  if (!slot) throw Woken{};
  std::byte* const memory = stages_.uploads.memory(*slot).data();
  const PictureFormat& format = picture.view.format;
  copied_down_.resize(packed_bytes(format));
  const MutablePictureView made = packed_view(format, copied_down_.data());
  try {
    stages_.upscaler.copy_down(picture, memory).wait();
  } catch (...) {  // only a measure is lost, and the slot is not to be lost with it
    stages_.uploads.release(*slot);
    throw;
  }
  copy_picture(packed_view(format, picture.form, memory), picture.form, made);
  stages_.uploads.release(*slot);
  return made;
}

void SegmentRun::remember(const Decoded& frame) {
  stages_.recent.push_back(frame);
  const auto most = 2 * static_cast<std::size_t>(options_.overlap);
  while (stages_.recent.size() > most) stages_.recent.pop_front();
}

// --- network: the calling thread -----------------------------------------------------------------

class SegmentRun::Sink : public model::OutputSink {
 public:
  // `begin`: the first frame that it takes.
  Sink(SegmentRun& run, std::int64_t begin) : run_(run), begin_(begin) {}

  MutablePictureView acquire(std::size_t) override {
    acquire_slot();
    return run_.downloads_.pictures->view(slot_);
  }

  std::span<std::byte> acquire_packet(std::size_t, std::size_t bytes) override {
    acquire_slot();
    return run_.downloads_.packets->begin_packet(slot_, bytes);
  }

  std::span<std::byte> acquire_digest(std::size_t, std::size_t bytes) override {
    PinnedSlots& digests = run_.downloads_.digests;
    if (digests.size() == 0 || !run_.meter_.measures(begin_ + delivered_)) return {};
    if (bytes != digests[slot_].size()) {
      throw Error(ErrorCode::kInternal, "a digest of another size than the pictures'");
    }
    return digests[slot_];
  }

  void deliver(std::size_t, gpu::Event ready) override {
    ++delivered_;
    run_.listener_.gauge.upscaled = static_cast<int>(run_.finished_.size()) + 1;
    if (!run_.finished_.push({slot_, std::move(ready)})) throw Woken{};
  }

  std::int64_t delivered() const { return delivered_; }

 private:
  void acquire_slot() {
    run_.network_watch_.stop();
    run_.listener_.gauge.network_s = run_.network_watch_.total_s();
    run_.check_stop();
    run_.encode_wait_watch_.start();
    const auto slot = run_.downloads_.ring().acquire();
    run_.encode_wait_watch_.stop();
    run_.listener_.gauge.encode_wait_s = run_.encode_wait_watch_.total_s();
    run_.network_watch_.start();
    if (!slot) throw Woken{};
    slot_ = *slot;
  }

  SegmentRun& run_;
  const std::int64_t begin_;
  std::size_t slot_ = 0;
  std::int64_t delivered_ = 0;
};

// A segment that has only been decoded is not begun: any stop leaves it.
void SegmentRun::wait_for_network() {
  const auto give_up = [&] { return failure_.is_set() || stop_.load() >= kFinishWhatIsBegun; };
  if (place_.wait_for_upscaling(give_up)) return;
  if (failure_.is_set()) throw Woken{};
  throw Error(ErrorCode::kInterrupted, "stopped");
}

void SegmentRun::upscale() {
  model::PictureUpscaler& upscaler = stages_.upscaler;
  int longest = max_seq_len_;
  std::int64_t position = segment_.input.begin;
  std::vector<model::LrFrame> held;  // pictures [held_begin, held_begin + size)
  std::int64_t held_begin = position;
  // A sequence goes on from window to window; one that failed begins another, which needs to see
  // the frames before it once more.
  bool goes_on = false;
  while (position < segment_.input.end) {
    check_stop();
    if (!goes_on) upscaler.begin_sequence();
    const Window window = next_window(
        segment_, position, longest, options_.overlap, goes_on ? Past::kRemembered : Past::kSeen);
    const std::int64_t keep = std::max(
        held_begin, std::min<std::int64_t>(window.input.begin, position - options_.overlap));
    held.erase(held.begin(), held.begin() + (keep - held_begin));
    held_begin = keep;
    tell_window(window, longest);
    take_pictures(held, window.input.end - held_begin);
    if (window.input.end == segment_.input.end) end_decoding();
    Sink sink(*this, position);
    const double before_s = network_watch_.total_s();
    network_watch_.start();
    try {
      upscaler.run(
          std::span(held).subspan(static_cast<std::size_t>(window.input.begin - held_begin),
                                  static_cast<std::size_t>(window.input.size())),
          {window.core.begin - window.input.begin, window.core.end - window.input.begin},
          sink);
      network_watch_.stop();
      goes_on = upscaler.remembers();
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
      times_.upscaled({position, position + sink.delivered()}, network_watch_.total_s() - before_s);
    }
    position += sink.delivered();
  }
}

// As many as there will be, unless one fails.
void SegmentRun::tell_window(const Window& window, int longest) {
  const Past past = stages_.upscaler.remembers() ? Past::kRemembered : Past::kSeen;
  const int index = static_cast<int>(result_.windows.size());
  int count = index + 1;
  for (std::int64_t end = window.core.end; end < segment_.input.end; ++count) {
    end = next_window(segment_, end, longest, options_.overlap, past).core.end;
  }
  listener_.gauge.window = index;
  listener_.gauge.windows = count;
}

void SegmentRun::take_pictures(std::vector<model::LrFrame>& held, std::int64_t count) {
  decode_wait_watch_.start();
  while (static_cast<std::int64_t>(held.size()) < count) {
    auto frame = decoded_.pop();
    if (!frame) throw Woken{};
    held.push_back(std::move(*frame));
  }
  decode_wait_watch_.stop();
  listener_.gauge.decoded = static_cast<int>(decoded_.size());
  listener_.gauge.decode_wait_s = decode_wait_watch_.total_s();
}

// With the last picture in hand: the decoder is the next segment's as soon as it has said so.
void SegmentRun::end_decoding() {
  if (place_.left_decoding()) return;
  if (decoded_.pop()) throw Error(ErrorCode::kInternal, "a picture behind a segment's last one");
  if (failure_.is_set()) throw Woken{};
  {
    const std::lock_guard lock(decoding_mutex_);
    decoding_ = false;
  }
  place_.leave_decoding();
  if (listener_.next_may_begin) listener_.next_may_begin();
}

// --- encode thread, which hands on what the writer's threads encode ------------------------------

void SegmentRun::encode(const std::filesystem::path& path) {
  lifetime_.start();
  if (options_.open_writer) {
    const auto writer = options_.open_writer(segment_, path);
    const auto check = [this] { check_stop(); };
    take_finished([&](std::size_t slot, std::int64_t frame) {
      const SlotLease lease = lend(slot, frame);
      if (segment_.core.contains(frame)) writer->write(downloads_.pictures->view(slot), check);
    });
    finish(segment_.core.size(), [&] { return writer->finish(check); });
  } else if (downloads_.packets) {
    media::PacketWriter writer(path,
                               stages_.upscaler.output_format(),
                               options_.output_colour,
                               stages_.timeline.rate,
                               options_.sample_aspect,
                               segment_.input.begin);
    take_finished([&](std::size_t slot, std::int64_t frame) {
      const SlotLease lease = lend(slot, frame);
      writer.write(downloads_.packets->packet(slot));
    });
    finish(segment_.input.size(), [&] { return writer.finish(); });
    keep_luma_of_packets(path);
  } else {
    media::SegmentWriter writer(path,
                                options_.codec,
                                stages_.upscaler.output_format(),
                                options_.output_colour,
                                stages_.timeline.rate,
                                options_.sample_aspect,
                                segment_.input.begin,
                                options_.encode_threads);
    take_finished([&](std::size_t slot, std::int64_t frame) {
      SlotLease lease = lend(slot, frame);
      writer.lend(downloads_.pictures->view(slot),
                  [held = std::move(lease)]() mutable { held.reset(); });
    });
    finish(segment_.input.size(), [&] { return writer.finish(); });
    // What the encoders had it for, in place of what handing it to them took.
    std::int64_t frame = segment_.input.begin;
    for (const float seconds : result_.mezzanine.encode_s) times_.encoded(frame++, seconds);
  }
}

// Gives every finished slot to `take`, with the frame in it.
template <typename Take>
void SegmentRun::take_finished(const Take& take) {
  std::int64_t frame = segment_.input.begin;
  while (auto item = finished_.pop()) {
    const double before_s = device_watch_.total_s();
    device_watch_.start();
    item->ready.wait();
    device_watch_.stop();
    listener_.gauge.device_s = device_watch_.total_s();
    listener_.gauge.upscaled = static_cast<int>(finished_.size()) + 1;
    times_.waited(frame, device_watch_.total_s() - before_s);
    Stopwatch taking;
    taking.start();
    take(item->slot, frame);
    taking.stop();
    times_.encoded(frame, taking.total_s());
    ++frame;
    listener_.gauge.frames = frame - segment_.input.begin;
    listener_.gauge.upscaled = static_cast<int>(finished_.size());
    if (listener_.progress) listener_.progress(frame - segment_.input.begin);
  }
  if (frame != segment_.input.end) throw Woken{};  // cut short by a failure elsewhere
}

// A picture or packet in the ring for the encoder, and for whoever else looks at it.
SegmentRun::SlotLease SegmentRun::lend(std::size_t slot, std::int64_t frame) {
  SlotLease lease(&downloads_, [this, slot](const void*) { downloads_.ring().release(slot); });
  if (downloads_.pictures) keep_luma(frame, downloads_.pictures->view(slot));
  if (meter_.measures(frame)) have_measured(slot, frame, lease);
  return lease;
}

// A thread that gets no time must not keep the network's places for long.
void SegmentRun::have_measured(std::size_t slot, std::int64_t frame, const SlotLease& lease) {
  lifetime_.stop();
  const double most_s = options_.quality.patience_s + kMostHeldUp * lifetime_.total_s();
  lifetime_.start();
  const std::chrono::duration<double> left(std::max(0.0, most_s - held_up_watch_.total_s()));
  held_up_watch_.start();
  const bool has_room = to_measure_.wait_for_room(left);
  held_up_watch_.stop();
  if (has_room) {
    meter_.guarded([&] { to_measure_.push({frame, slot, lease}); });
  } else {
    ++passed_over_;
  }
}

template <typename Finish>
void SegmentRun::finish(std::int64_t frames, const Finish& finish_file) {
  result_.mezzanine = finish_file();
  if (result_.mezzanine.frames != frames) {
    throw Error(ErrorCode::kInternal,
                format("a file of {} pictures, {} expected", result_.mezzanine.frames, frames));
  }
}

// --- what the seams with the neighbours are measured by ------------------------------------------

void SegmentRun::keep_luma(std::int64_t frame, const PictureView& picture) {
  const auto holds = [&](const FrameRange& range) { return range.contains(frame); };
  if (std::ranges::none_of(seam_frames_, holds)) return;
  result_.seam_luma.emplace(frame, sample_luma(picture));
}

// The pictures themselves were never on the host.
void SegmentRun::keep_luma_of_packets(const std::filesystem::path& path) {
  for (const FrameRange& range : seam_frames_) {
    read_back(path, range, [&](std::int64_t frame, const PictureView& picture) {
      keep_luma(frame, picture);
    });
  }
}

template <typename Use>
void SegmentRun::read_back(const std::filesystem::path& path,
                           const FrameRange& range,
                           const Use& use) {
  media::SegmentReader reader(path,
                              options_.codec,
                              range.begin - segment_.input.begin,
                              range.size(),
                              result_.mezzanine.checksums,
                              options_.encode_threads);
  PictureView picture;
  for (std::int64_t frame = range.begin; reader.read(picture); ++frame) {
    check_stop();
    use(frame, picture);
  }
}

// --- what pictures are like ----------------------------------------------------------------------

// Takes all that comes, though it may have nothing to do with it: what waits keeps its place. The
// last comes when the file is whole.
void SegmentRun::measure(const std::filesystem::path& path) {
  meter_.guarded([] { yield_to_others(Yield::kToMainWork); });
  while (const auto item = to_measure_.pop()) {
    const DigestView digest = downloads_.digest(item->slot);
    if (downloads_.pictures) {
      const PictureView picture = downloads_.pictures->view(item->slot);
      meter_.measure(item->frame, {&picture, digest});
    } else {
      meter_.measure(item->frame, {nullptr, digest});
    }
  }
  if (!failure_.is_set()) show_packets(path);
}

// Of packets a few are decoded, for the previews.
void SegmentRun::show_packets(const std::filesystem::path& path) {
  meter_.guarded([&] {
    for (const std::int64_t frame : meter_.to_show()) {
      read_back(path, {frame, frame + 1}, [&](std::int64_t, const PictureView& picture) {
        meter_.show(frame, picture);
      });
    }
  });
}

}  // namespace vsr::pipeline
