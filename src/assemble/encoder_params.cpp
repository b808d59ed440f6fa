#include "encoder_params.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>

namespace vsr::assemble {

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
    text += key + '=' + value;
  }
  return text;
}

bool has_param(const EncoderParams& params, std::string_view key) {
  return std::any_of(
      params.begin(), params.end(), [&](const auto& param) { return param.first == key; });
}

void add_default(EncoderParams& params, std::string key, std::string value) {
  if (!has_param(params, key)) {
    params.insert(params.begin(), {std::move(key), std::move(value)});
  }
}

}  // namespace vsr::assemble
