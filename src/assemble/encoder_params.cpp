#include "encoder_params.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>

namespace vsr::assemble {

namespace {

// The stream would lie about the picture.
constexpr const char* kOfThePicture[] = {"fps",
                                         "input-res",
                                         "input-csp",
                                         "input-depth",
                                         "output-depth",
                                         "interlace",
                                         "field",
                                         "annexb",
                                         "sar",
                                         "colorprim",
                                         "transfer",
                                         "range",
                                         "fullrange",
                                         "colormatrix",
                                         "chromaloc",
                                         "overscan",
                                         "video-signal-type-preset"};

// Libraries never print, and the only files of a job are those that it names.
constexpr const char* kPrintsOrNamesFiles[] = {"log",
                                               "log-level",
                                               "log-file",
                                               "log-file-level",
                                               "csv",
                                               "csv-log-level",
                                               "pass",
                                               "stats",
                                               "analysis-reuse-file",
                                               "analysis-reuse-mode",
                                               "analysis-save",
                                               "analysis-load",
                                               "lambda-file",
                                               "zonefile",
                                               "qpfile",
                                               "cqmfile",
                                               "dhdr10-info",
                                               "dolby-vision-rpu",
                                               "nalu-file",
                                               "recon",
                                               "recon-y4m-exec",
                                               "dump-yuv",
                                               "output",
                                               "input",
                                               "opencl-clbin",
                                               "stat-report",
                                               "stat-file"};

std::string plain_key(std::string_view key) {
  if (key.starts_with("--")) key.remove_prefix(2);
  std::string plain(key);
  std::replace(plain.begin(), plain.end(), '_', '-');
  return plain;
}

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

}  // namespace

EncoderParams parse_params(std::string_view text) {
  EncoderParams params;
  while (!text.empty()) {
    const auto colon = text.find(':');
    const std::string_view piece = text.substr(0, colon);
    text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    if (piece.empty()) continue;
    const auto equals = piece.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == piece.size()) {
      throw Error(ErrorCode::kUsage,
                  format("final.params: '{}' is no key=value (switches are written key=1 or key=0)",
                         piece));
    }
    const std::string key(piece.substr(0, equals));
    if (has_param(params, key)) {
      throw Error(ErrorCode::kUsage, format("final.params: '{}' is given twice", key));
    }
    params.emplace_back(key, piece.substr(equals + 1));
  }
  return params;
}

std::string join_params(const EncoderParams& params) {
  std::string text;
  for (const auto& [key, value] : params) {
    if (!text.empty()) text += ':';
    text += format("{}={}", key, value);
  }
  return text;
}

bool has_param(const EncoderParams& params, std::string_view key) {
  return std::any_of(params.begin(), params.end(), [&](const auto& param) {
    return plain_key(param.first) == plain_key(key);
  });
}

void add_default(EncoderParams& params, std::string key, std::string value) {
  if (!has_param(params, key)) {
    params.insert(params.begin(), {std::move(key), std::move(value)});
  }
}

void refuse_foreign_params(const EncoderParams& params) {
  for (const char* key : kOfThePicture) {
    if (has_param(params, key)) {
      refuse(format("final.params: '{}' follows from the picture and cannot be set; leave it out",
                    key));
    }
  }
  for (const char* key : kPrintsOrNamesFiles) {
    if (has_param(params, key)) {
      refuse(
          format("final.params: '{}' makes the encoder print, or read or write files of its own, "
                 "which a job may not; leave it out",
                 key));
    }
  }
  for (const char* key : {"preset", "crf"}) {
    if (has_param(params, key)) {
      refuse(format("final.params: '{}' belongs into final.{}", key, key));
    }
  }
}

}  // namespace vsr::assemble
