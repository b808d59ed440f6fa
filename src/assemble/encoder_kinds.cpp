#include "encoder_kinds.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace vsr::assemble {

namespace {

constexpr int kSlowestSvt = 0;
constexpr int kFastestSvt = 13;

constexpr std::string_view kX26xPresets =
    "ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo";

constexpr EncoderKind kEncoders[] = {
    {"libx265",
     "x265-params",
     "crf",
     0,
     51,
     AV_PIX_FMT_YUV420P10,
     kX26xPresets,
     "psnr, ssim, grain, zerolatency, fastdecode, animation",
     "slow",
     "grain",
     "aq-mode=3:aq-strength=0.8:rc-grain=1"},
    {"libx264",
     "x264-params",
     "crf",
     0,
     51,
     AV_PIX_FMT_YUV420P10,
     kX26xPresets,
     "film, animation, grain, stillimage, psnr, ssim, fastdecode, zerolatency",
     "slow",
     "grain",
     "aq-mode=3"},
    {"libsvtav1",
     "svtav1-params",
     "crf",
     1,  // 0 is no quality at all for FFmpeg, but a bit rate
     63,
     AV_PIX_FMT_YUV420P10,
     "whole numbers from 0 (slow) to 13",
     "vq, psnr, ssim",
     "4",
     "vq",
     ""},
    {"hevc_nvenc",
     nullptr,
     "cq",
     1,  // 0 leaves the quality to the GPU
     51,
     AV_PIX_FMT_P010LE,
     "p1 (fast) to p7 (slow), or x265's names for them",
     "hq, ll, ull",
     "p6",
     "hq",
     "rc-lookahead=32:spatial-aq=1"},
};

using Names = std::pair<std::string_view, const char*>;

// The second of the pair that begins with `name`; null: there is none.
const char* look_up(std::span<const Names> names, std::string_view name) {
  const auto found = std::find_if(
      names.begin(), names.end(), [&](const Names& pair) { return pair.first == name; });
  return found == names.end() ? nullptr : found->second;
}

}  // namespace

const EncoderKind& kind_of(const std::string& name) {
  std::string known = "copy";
  for (const EncoderKind& kind : kEncoders) {
    if (kind.name == name) return kind;
    known += format(", {}", kind.name);
  }
  throw Error(ErrorCode::kUsage,
              format("final.encoder={}: not an encoder for films; choose one of {}", name, known));
}

std::optional<std::string> own_preset(const EncoderKind& kind, const std::string& preset) {
  if (preset.empty()) return preset;
  if (kind.name == "libsvtav1") {
    const auto number = parse_number<int>(preset);
    if (!number || *number < kSlowestSvt || *number > kFastestSvt) return std::nullopt;
  }
  if (kind.name != "hevc_nvenc") return preset;
  if (preset.size() == 2 && preset[0] == 'p' && preset[1] >= '1' && preset[1] <= '7') return preset;
  constexpr Names kLikeX265[] = {{"ultrafast", "p1"},
                                 {"superfast", "p1"},
                                 {"veryfast", "p2"},
                                 {"faster", "p3"},
                                 {"fast", "p4"},
                                 {"medium", "p5"},
                                 {"slow", "p6"},
                                 {"slower", "p7"},
                                 {"veryslow", "p7"},
                                 {"placebo", "p7"}};
  const char* own = look_up(kLikeX265, preset);
  return own == nullptr ? std::nullopt : std::optional<std::string>(own);
}

const char* svt_tune(const std::string& tune) {
  constexpr Names kTunes[] = {
      {"vq", "0"}, {"psnr", "1"}, {"ssim", "2"}, {"0", "0"}, {"1", "1"}, {"2", "2"}};
  return look_up(kTunes, tune);
}

}  // namespace vsr::assemble
