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

}  // namespace

struct FrameReader::Impl {
  Timeline timeline;
  PictureDecoder decoder;
  SourcePictures pictures;
  PictureFilter filter;
  std::int64_t position;
  FramePtr current;
  std::int64_t current_picture = -1;
  bool finished = false;
  bool warned_of_size = false;

  Impl(Timeline planned, std::int64_t first_frame, int threads)
      : timeline(std::move(planned)),
        decoder(timeline.source, timeline.video_stream, threads),
        pictures(decoder, numbering_of(timeline)),
        filter(settings_of(timeline, threads)),
        position(first_frame) {}

  [[nodiscard]] std::int64_t picture_at(std::int64_t pts) const;
  bool advance();
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
      filter.send(std::move(frame));
    } else {
      filter.finish();
      finished = true;
    }
  }
}

FrameReader::FrameReader(const Timeline& timeline, std::int64_t first_frame, int threads) {
  if (first_frame < 0 || first_frame > timeline.frames()) {
    throw Error(ErrorCode::kInternal,
                format("frame {} of a timeline of {}", first_frame, timeline.frames()));
  }
  impl_ = std::make_unique<Impl>(timeline, first_frame, threads);
  const std::uint64_t bytes = impl_->decoder.input().bytes;
  if (timeline.source_bytes != 0 && bytes != timeline.source_bytes) {
    throw Error(
        ErrorCode::kInput,
        format("{}: has {} bytes, and had {} when the job was planned: put the planned film "
               "back, or start over",
               timeline.source,
               bytes,
               timeline.source_bytes));
  }
  if (first_frame == timeline.frames()) return;
  const std::int64_t wanted = timeline.source_picture[static_cast<std::size_t>(first_frame)];
  if (timeline.seekable) {
    impl_->pictures.start(std::max<std::int64_t>(0, wanted - timeline.preroll_pictures));
  } else {
    impl_->pictures.start_over();
  }
}

FrameReader::~FrameReader() = default;
FrameReader::FrameReader(FrameReader&&) noexcept = default;
FrameReader& FrameReader::operator=(FrameReader&&) noexcept = default;

std::int64_t FrameReader::position() const { return impl_->position; }

bool FrameReader::read(PictureView& picture) {
  Impl& impl = *impl_;
  if (impl.position >= impl.timeline.frames()) return false;
  const std::int64_t wanted = impl.timeline.source_picture[static_cast<std::size_t>(impl.position)];
  try {
    while (impl.current_picture < wanted) {
      if (!impl.advance()) {
        throw Error(
            ErrorCode::kInput,
            format("{}: the film ends before picture {}: it has changed since it was planned",
                   impl.timeline.source,
                   wanted));
      }
    }
    if (impl.current_picture != wanted) {
      throw Error(ErrorCode::kInput,
                  format("{}: picture {} does not come out of the filter graph '{}'; set "
                         "preprocess.mezzanine = always",
                         impl.timeline.source,
                         wanted,
                         impl.timeline.filters));
    }
  } catch (Error& error) {
    error.add_context(format("frame {}", impl.position));
    throw;
  }
  picture = view_of(*impl.current);
  ++impl.position;
  return true;
}

}  // namespace vsr::media
