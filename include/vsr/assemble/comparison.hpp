// Two films in one picture: side by side, or the left half of one and the right half of the other.
// As a video with the first one's sound, or as a single picture. Needs no GPU.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/media/common_form.hpp"
#include "vsr/media/film_pairs.hpp"
#include "vsr/media/timeline.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace vsr::assemble {

enum class ComparisonLayout { kSide, kSplit };

// What a file's extension stands for.
enum class ComparisonFile { kMkv, kMp4, kMov, kPng, kJpg };

bool is_video(ComparisonFile file);
// Throws Error(kUsage) for an extension that is none of them; "OUT.MP4" is one.
ComparisonFile comparison_file(const std::filesystem::path& path);

// The forms that the films' pictures have to be brought to: square pixels and 8 bits, for a video
// 4:2:0 of bt709. Side by side both have the height of the higher one, in a video of 3840 pixels
// across at most; split both have the size of the larger one.
std::pair<media::PictureForm, media::PictureForm> comparison_forms(const media::VideoInfo& a,
                                                                   const media::VideoInfo& b,
                                                                   ComparisonLayout layout,
                                                                   ComparisonFile file);

struct ComparisonSpec {
  media::Timeline a;  // of comparison_forms()
  media::Timeline b;
  media::PictureForm form_a;
  media::PictureForm form_b;
  std::filesystem::path sound;  // the film whose sound is taken, on the clock of `a`
  Rational rate;                // pairs a second
  ComparisonLayout layout = ComparisonLayout::kSide;
  ComparisonFile file = ComparisonFile::kMkv;
  std::string title;
};

// One picture of both. REQUIRES: forms of comparison_forms().
void compose(const PictureView& a,
             const PictureView& b,
             ComparisonLayout layout,
             bool full_range,
             const MutablePictureView& into);
// The size of it.
PictureFormat composed_format(const PictureFormat& a,
                              const PictureFormat& b,
                              ComparisonLayout layout);

// H.264 by libx264 (crf 16), which everything plays, and the film's first sound track as it is; a
// track that the container cannot hold is left out with a warning. `progress` gets pairs encoded
// and returns false to stop (Error(kInterrupted)). Published whole; on failure nothing is left.
// Returns warnings. Throws Error(kUsage) where this FFmpeg has no libx264, Error(kInput),
// Error(kStorage).
std::vector<std::string> write_comparison_video(const ComparisonSpec& spec,
                                                const media::FramePairs& pairs,
                                                const std::filesystem::path& path,
                                                const std::function<bool(std::int64_t)>& progress);

// Of one pair. Throws as above.
void write_comparison_picture(const ComparisonSpec& spec,
                              const media::FramePair& pair,
                              const std::filesystem::path& path);

}  // namespace vsr::assemble
