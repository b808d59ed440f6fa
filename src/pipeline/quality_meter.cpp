#include "quality_meter.hpp"

#include "previews.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vsr::pipeline {

namespace {

constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();
// A frame that is as near to its own is not held against its neighbours.
constexpr double kGoodDb = 55;
// A neighbour has to leave no more of the mean square than this to be what the frame looks like.
constexpr double kClearly = 0.7;
// The share of measured frames whose colours have to tell of the same mistake.
constexpr double kManyFrames = 0.1;

PictureView view_of(const PictureFormat& format, const std::vector<std::byte>& memory) {
  return packed_view(format, const_cast<std::byte*>(memory.data()));  // read only from here on
}

std::vector<std::byte> copy_of(const PictureView& picture) {
  std::vector<std::byte> memory(packed_bytes(picture.format));
  copy_picture(picture, packed_view(picture.format, memory.data()));
  return memory;
}

bool is_one_of(std::int64_t frame, int every) { return every > 0 && frame % every == 0; }

}  // namespace

bool keeps_source(std::int64_t frame, int every) {
  return is_one_of(frame - 1, every) || is_one_of(frame, every) || is_one_of(frame + 1, every);
}

std::shared_ptr<SourceFrame> keep_source(std::int64_t frame,
                                         int every,
                                         const PictureView* picture) {
  auto source = std::make_shared<SourceFrame>();
  source->frame = frame;
  if (picture == nullptr) return source;
  if (is_one_of(frame, every)) {
    source->format = picture->format;
    source->memory = copy_of(*picture);
  }
  if (keeps_source(frame, every)) source->luma = sample_luma(*picture);
  return source;
}

QualityMeter::QualityMeter(const Segment& segment,
                           const PipelineOptions& options,
                           const ColourDescription& colour)
    : segment_(segment), options_(options), colour_(colour) {
  if (options.quality.every <= 0) return;
  const auto frames = static_cast<std::size_t>(segment.core.size());
  for (auto* list : {&measures_.luma_mean,
                     &measures_.sharpness,
                     &measures_.sharpness_gain,
                     &measures_.back_projection_db}) {
    list->assign(frames, kNotMeasured);
  }
}

bool QualityMeter::measures(std::int64_t frame) const {
  return !ended_ && segment_.core.contains(frame) && is_one_of(frame, options_.quality.every);
}

void QualityMeter::add(SourceFramePtr source) {
  guarded([&] {
    const std::int64_t frame = source->frame;
    const bool is_near = segment_.core.contains(frame - 1) || segment_.core.contains(frame) ||
                         segment_.core.contains(frame + 1);
    const std::lock_guard lock(mutex_);
    newest_ = frame;
    if (source->luma && is_near && !ended_) sources_.emplace(frame, std::move(source));
  });
}

void QualityMeter::end(const char* failure) {
  std::map<std::int64_t, SourceFramePtr> dropped;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  if (ended_.exchange(true)) return;
  sources_.swap(dropped);
  failure_ = failure;
}

void QualityMeter::measure(std::int64_t frame, const Upscaled& upscaled) {
  guarded([&] { measure_frame(frame, upscaled); });
}

void QualityMeter::measure_frame(std::int64_t frame, const Upscaled& upscaled) {
  const SourceFramePtr source = source_of(frame);
  const bool has_source = source && !source->memory.empty();
  const auto measures = [&](const auto& after) {
    if (!has_source) return measure_picture(after);
    return measure_picture({view_of(source->format, source->memory), colour_}, after);
  };
  PictureMeasures found =
      upscaled.digest.memory != nullptr
          ? measures(upscaled.digest)
          : measures(ColouredPicture{*upscaled.picture, options_.output_colour});
  take_note(frame, found);
  if (has_source) {
    keep_if_worst(source, found.back_projection_db, upscaled.picture);
    if (frame == middle_frame()) {
      middle_ = source;
      if (upscaled.picture != nullptr) show(frame, *upscaled.picture);
    }
    waiting_.push_back({frame, std::move(found.projected), std::move(found.colours_fit)});
  }
  look_at_neighbours(false);
  forget(waiting_.empty() ? frame : waiting_.front().frame - 1);
}

void QualityMeter::take_note(std::int64_t frame, const PictureMeasures& found) {
  const auto i = static_cast<std::size_t>(frame - segment_.core.begin);
  measures_.luma_mean[i] = found.luma_mean;
  measures_.sharpness[i] = found.sharpness;
  measures_.sharpness_gain[i] = found.sharpness_gain;
  measures_.back_projection_db[i] = found.back_projection_db;
  ++measured_;
  if (found.back_projection_db < options_.quality.warn_below_db) ++below_.frames;
}

void QualityMeter::keep_if_worst(const SourceFramePtr& source,
                                 float db,
                                 const PictureView* upscaled) {
  if (worst_ && worst_->db <= db) return;
  if (!worst_) worst_.emplace();
  worst_->frame = source->frame;
  worst_->db = db;
  worst_->source = source;
  if (upscaled != nullptr) worst_->keep(*upscaled);
}

void QualityMeter::Worst::keep(const PictureView& upscaled) {
  format = upscaled.format;
  memory.resize(packed_bytes(format));
  copy_picture(upscaled, packed_view(format, memory.data()));
}

std::set<std::int64_t> QualityMeter::to_show() const {
  std::set<std::int64_t> frames;
  if (middle_) frames.insert(middle_->frame);
  if (worst_ && worst_->memory.empty()) frames.insert(worst_->frame);
  return frames;
}

void QualityMeter::show(std::int64_t frame, const PictureView& upscaled) {
  guarded([&] {
    if (middle_ && middle_->frame == frame) {
      previews_.push_back(preview(*middle_, upscaled, "middle"));
      middle_.reset();
    }
    if (worst_ && worst_->frame == frame && worst_->memory.empty()) worst_->keep(upscaled);
  });
}

// A frame's next one may come from the decoder only after it has been upscaled.
void QualityMeter::look_at_neighbours(bool all_are_there) {
  while (!waiting_.empty()) {
    const std::int64_t next = waiting_.front().frame + 1;
    if (!all_are_there && next < segment_.input.end && !has_come(next)) return;
    judge(waiting_.front());
    waiting_.pop_front();
  }
}

// Colours of another frame tell nothing.
void QualityMeter::judge(const Waiting& waiting) {
  if (const auto other = looks_like(waiting)) {
    if (displaced_.frames++ > 0) return;
    displaced_.frame = waiting.frame;
    displaced_.what = format("{}", *other);
  } else if (!waiting.colours_fit.empty()) {
    Fault& fault = colours_[waiting.colours_fit];
    if (fault.frames++ == 0) fault.frame = waiting.frame;
  }
}

// The neighbour in whose place the frame seems to be.
std::optional<std::int64_t> QualityMeter::looks_like(const Waiting& waiting) const {
  if (waiting.projected.values.empty()) return std::nullopt;
  const auto distance = [&](std::int64_t frame) {
    const SourceFramePtr source = source_of(frame);
    return source ? mean_square_difference(waiting.projected, *source->luma)
                  : std::numeric_limits<double>::infinity();
  };
  const double own = distance(waiting.frame);
  const double before = distance(waiting.frame - 1);
  const double after = distance(waiting.frame + 1);
  if (psnr_db(own) >= kGoodDb || std::min(before, after) > kClearly * own) return std::nullopt;
  return waiting.frame + (before < after ? -1 : 1);
}

void QualityMeter::forget(std::int64_t before) {
  const std::lock_guard lock(mutex_);
  sources_.erase(sources_.begin(), sources_.lower_bound(before));
}

SourceFramePtr QualityMeter::source_of(std::int64_t frame) const {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(frame);
  return found == sources_.end() ? nullptr : found->second;
}

bool QualityMeter::has_come(std::int64_t frame) const {
  const std::lock_guard lock(mutex_);
  return frame <= newest_;
}

// The measured one that is nearest to the middle of the core.
std::int64_t QualityMeter::middle_frame() const {
  const std::int64_t every = options_.quality.every;
  const std::int64_t middle = segment_.core.begin + segment_.core.size() / 2;
  const std::int64_t below = middle / every * every;
  const std::int64_t above = below + every;
  const bool takes_above =
      above < segment_.core.end && (above - middle < middle - below || below < segment_.core.begin);
  return takes_above ? above : below;
}

Preview QualityMeter::preview(const SourceFrame& source,
                              const PictureView& upscaled,
                              const std::string& kind) const {
  Preview made{.frame = source.frame, .kind = kind};
  make_preview({view_of(source.format, source.memory), colour_},
               {upscaled, options_.output_colour},
               options_.sample_aspect,
               kind == "middle",
               made);
  return made;
}

std::vector<std::string> QualityMeter::warnings() const {
  std::vector<std::string> lines;
  if (below_.frames > 0) {
    lines.push_back(
        format("back-projection below {} dB in {} of {} frames measured, {:.1f} dB in "
               "frame {}: the picture is not the film's there",
               options_.quality.warn_below_db,
               below_.frames,
               measured_,
               worst_->db,
               worst_->frame));
  }
  if (displaced_.frames > 0) {
    lines.push_back(
        format("{} of {} frames measured look like the film's frame beside their own, "
               "first {}, which looks like {}",
               displaced_.frames,
               measured_,
               displaced_.frame,
               displaced_.what));
  }
  const auto most =
      std::ranges::max_element(colours_, {}, [](const auto& entry) { return entry.second.frames; });
  if (most != colours_.end() &&
      static_cast<double>(most->second.frames) >= kManyFrames * static_cast<double>(measured_)) {
    lines.push_back(format("the colours of {} of {} frames measured are as with {}, first {}",
                           most->second.frames,
                           measured_,
                           most->first,
                           most->second.frame));
  }
  if (!failure_.empty()) {
    lines.push_back(format("measuring ended after {} frames: {}", measured_, failure_));
  }
  return lines;
}

void QualityMeter::finish(SegmentResult& result) {
  guarded([&] {
    look_at_neighbours(true);
    if (worst_ && !worst_->memory.empty()) {
      previews_.push_back(
          preview(*worst_->source, view_of(worst_->format, worst_->memory), "worst"));
    }
  });
  FrameMeasures& to = result.measures;
  to.luma_mean = std::move(measures_.luma_mean);
  to.sharpness = std::move(measures_.sharpness);
  to.sharpness_gain = std::move(measures_.sharpness_gain);
  to.back_projection_db = std::move(measures_.back_projection_db);
  result.previews = std::move(previews_);
  result.quality_warnings = warnings();
}

}  // namespace vsr::pipeline
