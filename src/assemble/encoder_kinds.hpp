// The encoders that a film may be made with, and how the job's words become theirs.
#pragma once

#include "media/av.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vsr::assemble {

struct EncoderKind {
  std::string_view name;
  const char* params_option;  // takes "key=value:..."; null: params are options of the encoder
  const char* quality_option;
  double best_quality;
  double worst_quality;
  AVPixelFormat format;
  std::string_view presets;  // for messages
  std::string_view tunes;    // likewise
  // What "auto" means.
  const char* usual_preset;
  const char* usual_tune;
  const char* usual_params;
};

// Throws Error(kUsage) naming those that there are.
const EncoderKind& kind_of(const std::string& name);

// The preset as the encoder has it; nothing where it has none of that name, though its option would
// take it: -1 and expressions, or what older drivers knew.
std::optional<std::string> own_preset(const EncoderKind& kind, const std::string& preset);
// SVT-AV1 numbers its tunes; null: it has none of that name.
const char* svt_tune(const std::string& tune);

}  // namespace vsr::assemble
