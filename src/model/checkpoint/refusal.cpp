#include "checkpoint/refusal.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

namespace vsr::model {

void refuse(const std::string& text, std::source_location where) {
  throw Error(ErrorCode::kModel, text, where);
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kMostBytes = 100;
  std::string text = "'";
  for (const char letter : name.substr(0, kMostBytes)) {
    if (letter >= ' ' && letter <= '~') {
      text += letter;
    } else {
      text += format("\\x{:02x}", static_cast<unsigned char>(letter));
    }
  }
  text += name.size() > kMostBytes ? "...'" : "'";
  return text;
}

}  // namespace vsr::model
