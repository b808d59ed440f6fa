#include "checkpoint/json.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

namespace vsr::model {

namespace {

constexpr int kMostLevels = 16;
constexpr std::size_t kMostValues = 1'000'000;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json run() {
    Json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) fault("something follows the value");
    return value;
  }

 private:
  [[noreturn]] void fault(const char* what) const {
    refuse(format("invalid JSON at byte {}: {}", at_, what));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool accept(char letter) {
    if (at_ >= text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  void expect_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fault("no value");
    at_ += word.size();
  }

  Json parse_value(int level) {
    if (level > kMostLevels) fault("nested too deep");
    if (++values_ > kMostValues) fault("too many values");
    skip_space();
    Json value;
    switch (peek()) {
      case '{':
        parse_object(value, level);
        break;
      case '[':
        parse_array(value, level);
        break;
      case '"':
        value.kind = Json::Kind::kText;
        value.text = parse_text();
        break;
      case 't':
      case 'f':
        value.kind = Json::Kind::kBool;
        value.truth = peek() == 't';
        expect_word(value.truth ? "true" : "false");
        break;
      case 'n':
        expect_word("null");
        break;
      default:
        parse_number(value);
    }
    return value;
  }

  void parse_object(Json& value, int level) {
    value.kind = Json::Kind::kObject;
    std::set<std::string> names;
    ++at_;
    skip_space();
    if (accept('}')) return;
    do {
      skip_space();
      std::string name = parse_text();
      if (!names.insert(name).second) fault("the same name twice");
      skip_space();
      if (!accept(':')) fault("':' is missing");
      value.members.push_back({std::move(name), parse_value(level + 1)});
      skip_space();
    } while (accept(','));
    if (!accept('}')) fault("'}' is missing");
  }

  void parse_array(Json& value, int level) {
    value.kind = Json::Kind::kArray;
    ++at_;
    skip_space();
    if (accept(']')) return;
    do {
      value.items.push_back(parse_value(level + 1));
      skip_space();
    } while (accept(','));
    if (!accept(']')) fault("']' is missing");
  }

  void skip_digits() {
    if (!is_digit(peek())) fault("no value");
    while (is_digit(peek())) ++at_;
  }

  void parse_number(Json& value) {
    const std::size_t begin = at_;
    bool whole = true;
    accept('-');
    if (!accept('0')) skip_digits();
    if (accept('.')) {
      whole = false;
      skip_digits();
    }
    if (accept('e') || accept('E')) {
      whole = false;
      if (!accept('+')) accept('-');
      skip_digits();
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    if (std::from_chars(first, last, value.real).ec != std::errc()) fault("number out of range");
    value.kind = Json::Kind::kReal;
    if (whole && std::from_chars(first, last, value.integer).ec == std::errc()) {
      value.kind = Json::Kind::kInteger;
    }
  }

  unsigned parse_hex4() {
    unsigned code = 0;
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    const auto [end, fault_code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || fault_code != std::errc() || end != digits.data() + 4) {
      fault("\\u without four digits");
    }
    at_ += 4;
    return code;
  }

  void parse_escape(std::string& into) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t simple = at_ < text_.size() ? kLetters.find(text_[at_]) : kLetters.npos;
    if (simple != std::string_view::npos) {
      ++at_;
      into += kMeanings[simple];
      return;
    }
    if (!accept('u')) fault("unknown escape");
    unsigned code = parse_hex4();
    if (code >= 0xD800 && code < 0xE000) {  // a pair of surrogates
      if (code >= 0xDC00 || !accept('\\') || !accept('u')) fault("half of a surrogate pair");
      const unsigned low = parse_hex4();
      if (low < 0xDC00 || low >= 0xE000) fault("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto put = [&into](unsigned byte) { into += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6));
      put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }

  // One character of more than one byte: shortest form, no surrogate, at most U+10FFFF.
  void copy_multibyte(std::string& into) {
    const auto byte_at = [this](std::size_t i) {
      return i < text_.size() ? static_cast<unsigned char>(text_[i]) : 0u;
    };
    const unsigned lead = byte_at(at_);
    const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    unsigned code = lead & (0xFFu >> (bytes + 1));
    bool valid = lead >= 0xC2 && lead <= 0xF4;
    for (std::size_t i = 1; i < bytes; ++i) {
      valid = valid && (byte_at(at_ + i) & 0xC0) == 0x80;
      code = code << 6 | (byte_at(at_ + i) & 0x3F);
    }
    constexpr unsigned kLeast[] = {0x80, 0x800, 0x10000};
    valid =
        valid && code >= kLeast[bytes - 2] && code <= 0x10FFFF && (code < 0xD800 || code >= 0xE000);
    if (!valid) fault("invalid UTF-8");
    into += text_.substr(at_, bytes);
    at_ += bytes;
  }

  std::string parse_text() {
    if (!accept('"')) fault("a string is missing");
    std::string text;
    while (!accept('"')) {
      if (at_ >= text_.size()) fault("a string without end");
      const auto letter = static_cast<unsigned char>(text_[at_]);
      if (letter < 0x20) fault("a control character in a string");
      if (letter >= 0x80) {
        copy_multibyte(text);
        continue;
      }
      ++at_;
      if (letter == '\\') {
        parse_escape(text);
      } else {
        text += static_cast<char>(letter);
      }
    }
    return text;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  const auto found = std::find_if(
      members.begin(), members.end(), [&](const auto& member) { return member.name == name; });
  return found == members.end() ? nullptr : &found->value;
}

Json parse_json(std::string_view text) { return JsonParser(text).run(); }

}  // namespace vsr::model
