#include "picture_filter.hpp"
#include "source_pictures.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/media/timeline.hpp"

#include <algorithm>
#include <utility>

namespace vsr::media {

namespace {

SourceNumbering numbering_of(const Timeline& timeline) {
  SourceNumbering numbering;
  numbering.pts = timeline.source_pts;
  if (timeline.seekable) numbering.seek_points = timeline.seek_points;
  numbering.time_base = timeline.source_time_base;
  if (!timeline.source_picture.empty()) numbering.pictures = timeline.source_picture.back() + 1;
  numbering.packets = numbering.pictures;
  return numbering;
}

FilterSettings settings_of(const Timeline& timeline, int threads) {
  return {.filters = timeline.filters,
          .time_base = to_av(timeline.source_time_base),
          .rate = to_av(timeline.rate),
          .colour = timeline.source_colour,
          .sample_aspect = to_av(timeline.source_sample_aspect),
          .out_full_range = timeline.colour.full_range,
          .out = timeline.format,
          .threads = threads};
}

// Filters may hand out pictures upside down, by rows that go backwards; nobody else should see
// that.
FramePtr upright(FramePtr frame) {
  if (std::all_of(std::begin(frame->linesize), std::end(frame->linesize), [](int pitch) {
        return pitch >= 0;
      })) {
    return frame;
  }
  const PictureView from = view_of(*frame);
  FramePtr copy = allocate_frame(from.format);
  copy_picture(from, mutable_view_of(*copy));
  copy->pts = frame->pts;
  return copy;
}

// What is wrong with a film is for the user to mend; what is wrong with a file of our own is damage
// in the run directory.
template <typename Work>
auto over_own_file(const Timeline& timeline, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (!timeline.own_mezzanine || error.code() != ErrorCode::kInput) throw;
    throw Error(
        ErrorCode::kStorage,
        format("{}; this is the lossless copy of the film that the run was planned on: remove "
               "what is left of it and start again, and it is made anew (--fresh starts the "
               "whole run over)",
               error.what()),
        error.where());
  }
}

const char* words_for(PictureFault fault) {
  switch (fault) {
    case PictureFault::kShownAsBefore:
      return "could not be decoded, the one before stands in";
    case PictureFault::kShownAsAfter:
      return "could not be decoded, the one after stands in";
    case PictureFault::kDamaged:
      return "is damaged, shown as far as it decodes";
  }
  return "";
}

}  // namespace

struct FrameReader::Impl {
  Timeline timeline;
  PictureDecoder decoder;
  SourcePictures pictures;
  PictureFilter filter;
  std::int64_t position;
  FramePtr current;  // on the GPU where read() may give it from there, or has to fetch it
  std::int64_t current_picture = -1;
  bool finished = false;
  bool warned_of_size = false;

  Impl(Timeline planned, std::int64_t first_frame, int threads, const DecodeDevice& device)
      : timeline(std::move(planned)),
        decoder(timeline.source,
                timeline.video_stream,
                threads,
                timeline.own_mezzanine ? Damage::kRefuse : Damage::kPassOver,
                device,
                timeline.open),
        pictures(decoder, numbering_of(timeline)),
        filter(settings_of(timeline, threads)),
        position(first_frame) {}

  [[nodiscard]] std::int64_t picture_at(std::int64_t pts) const;
  void check_shape(const AVFrame& frame) const;
  [[nodiscard]] bool needs_nothing(const AVFrame& frame) const;
  bool advance();
  [[nodiscard]] FramePtr fetched(const AVFrame& frame) const;
  void enter();
  bool read(PictureView& picture, std::optional<DevicePicture>* on_device);
};

std::int64_t FrameReader::Impl::picture_at(std::int64_t pts) const {
  const std::int64_t source_pts =
      av_rescale_q(pts, filter.output().time_base, to_av(timeline.source_time_base));
  if (timeline.source_pts.empty()) return source_pts;
  const auto found =
      std::lower_bound(timeline.source_pts.begin(), timeline.source_pts.end(), source_pts);
  if (found == timeline.source_pts.end() || *found != source_pts) return -1;
  return found - timeline.source_pts.begin();
}

// The slices' checksums say nothing of the size in the container's header.
void FrameReader::Impl::check_shape(const AVFrame& frame) const {
  if (!timeline.own_mezzanine) return;
  const auto planar = planar_format(static_cast<AVPixelFormat>(frame.format));
  if (planar && picture_format(*planar, frame.width, frame.height) == timeline.format) return;
  throw Error(ErrorCode::kInput,
              format("{}: damaged: it gives pictures of {}x{} in {} instead of {}",
                     timeline.source,
                     frame.width,
                     frame.height,
                     format_name(static_cast<AVPixelFormat>(frame.format)),
                     to_string(timeline.format)));
}

// Whether a picture on the GPU is as the timeline has it, so that the graph would hand it through.
bool FrameReader::Impl::needs_nothing(const AVFrame& frame) const {
  return timeline.filters.empty() && decoder.on_device(frame).view.format == timeline.format;
}

// Makes `current` the graph's next picture; false after the last.
bool FrameReader::Impl::advance() {
  while (true) {
    if (FramePtr frame = filter.receive()) {
      if (filter.scaled_back() && !warned_of_size) {
        warned_of_size = true;
        log::warning("media",
                     "{}: the picture size changes near frame {}; pictures are scaled back to {}",
                     timeline.source,
                     position,
                     to_string(timeline.format));
      }
      current_picture = picture_at(frame->pts);
      current = upright(std::move(frame));
      return true;
    }
    if (finished) return false;
    if (FramePtr frame = pictures.next()) {
      if (is_on_gpu(*frame)) {
        // The graph is empty but for pictures of another shape: it holds none back.
        if (needs_nothing(*frame)) {
          current_picture = pictures.number();
          current = std::move(frame);
          return true;
        }
        frame = fetched(*frame);
      }
      check_shape(*frame);
      filter.send(std::move(frame));
    } else {
      filter.finish();
      finished = true;
    }
  }
}

FramePtr FrameReader::Impl::fetched(const AVFrame& frame) const {
  FramePtr host = decoder.to_host(frame);
  host->pts = frame.pts;
  return host;
}

FrameReader::FrameReader(const Timeline& timeline,
                         std::int64_t first_frame,
                         int threads,
                         const DecodeDevice& device) {
  if (first_frame < 0 || first_frame > timeline.frames()) {
    throw Error(ErrorCode::kInternal,
                format("frame {} of a timeline of {}", first_frame, timeline.frames()));
  }
  if (device.nvdec && timeline.own_mezzanine) {
    throw Error(ErrorCode::kUsage,
                format("stream.decode = nvdec: the film is read from a lossless copy, {}, which no "
                       "GPU decodes; set stream.decode = cpu",
                       timeline.source));
  }
  over_own_file(timeline, [&] {
    impl_ = std::make_unique<Impl>(timeline, first_frame, threads, device);
    impl_->enter();
  });
}

// Checks that the source is the planned one, and goes to the place of the first frame.
void FrameReader::Impl::enter() {
  const std::uint64_t bytes = decoder.input().bytes;
  if (timeline.source_bytes != 0 && bytes != timeline.source_bytes) {
    throw Error(
        ErrorCode::kInput,
        format("{}: has {} bytes, and had {} when the job was planned: put the planned film "
               "back, or start over",
               timeline.source,
               bytes,
               timeline.source_bytes));
  }
  if (position == timeline.frames()) return;
  const std::int64_t wanted = timeline.source_picture[static_cast<std::size_t>(position)];
  if (timeline.seekable) {
    pictures.start(std::max<std::int64_t>(0, wanted - timeline.preroll_pictures));
  } else {
    pictures.start_over();
  }
}

FrameReader::~FrameReader() = default;
FrameReader::FrameReader(FrameReader&&) noexcept = default;
FrameReader& FrameReader::operator=(FrameReader&&) noexcept = default;

std::int64_t FrameReader::position() const { return impl_->position; }

bool FrameReader::read(PictureView& picture) {
  return over_own_file(impl_->timeline, [&] { return impl_->read(picture, nullptr); });
}

bool FrameReader::read(PictureView& picture, std::optional<DevicePicture>& on_device) {
  on_device.reset();
  return over_own_file(impl_->timeline, [&] { return impl_->read(picture, &on_device); });
}

bool FrameReader::Impl::read(PictureView& picture, std::optional<DevicePicture>* on_device) {
  if (position >= timeline.frames()) return false;
  const std::int64_t wanted = timeline.source_picture[static_cast<std::size_t>(position)];
  try {
    while (current_picture < wanted) {
      if (!advance()) {
        throw Error(
            ErrorCode::kInput,
            format("{}: the film ends before picture {}: it has changed since it was planned",
                   timeline.source,
                   wanted));
      }
    }
    if (current_picture != wanted) {
      throw Error(ErrorCode::kInput,
                  format("{}: picture {} does not come out of the filter graph '{}'; set "
                         "preprocess.mezzanine = always",
                         timeline.source,
                         wanted,
                         timeline.filters));
    }
  } catch (Error& error) {
    error.add_context(format("frame {}", position));
    throw;
  }
  if (is_on_gpu(*current)) {
    if (on_device != nullptr) {
      *on_device = decoder.on_device(*current);
      ++position;
      return true;
    }
    current = fetched(*current);
  }
  picture = view_of(*current);
  ++position;
  return true;
}

void check_nvdec(const Timeline& timeline, const DecodeDevice& device) {
  if (timeline.frames() == 0) return;
  DecodeDevice nvdec = device;
  nvdec.nvdec = true;
  FrameReader reader(timeline, 0, 1, nvdec);
  PictureView picture;
  reader.read(picture);
}

std::vector<std::string> FrameReader::remarks(std::int64_t first, std::int64_t end) {
  constexpr std::size_t kMostListed = 10;
  std::vector<std::string> lines;
  std::size_t more = 0;
  const std::vector<std::int64_t>& shown = impl_->timeline.source_picture;
  const auto& faults = impl_->pictures.faults();
  std::int64_t last = -1;  // a picture may be shown by several frames
  for (std::int64_t frame = first; frame < std::min(end, impl_->position); ++frame) {
    const std::int64_t picture = shown[static_cast<std::size_t>(frame)];
    if (frame == first) impl_->pictures.forget_faults_before(picture);
    const auto fault = picture == last ? faults.end() : faults.find(picture);
    last = picture;
    if (fault == faults.end()) continue;
    if (lines.size() < kMostListed) {
      lines.push_back(format("frame {}: {} of the source {}",
                             frame,
                             impl_->pictures.place(picture, false),
                             words_for(fault->second)));
    } else {
      ++more;
    }
  }
  if (more > 0) {
    lines.push_back(
        format("and {} more pictures of the source that do not decode, or are damaged", more));
  }
  return lines;
}

}  // namespace vsr::media
