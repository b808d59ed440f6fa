#include "ini_text.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace vsr {

namespace {

// Far more than a job can say; a larger file is something else.
constexpr std::size_t kLargestFile_bytes = 1 << 20;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A '#' behind white space and all that follows it is a comment.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '#' && is_blank(text[i - 1])) return text.substr(0, i);
  }
  return text;
}

// The beginning of a line, for a message.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest) return printable(text);
  std::size_t size = kLongest;
  while ((static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U && size > kLongest - 3) --size;
  return printable(text.substr(0, size)) + "...";
}

// One line of a file, and how faults in it are told.
struct Line {
  const std::string& file;
  int number;
  std::string_view text;

  [[noreturn]] void refuse(const std::string& fault) const {
    throw Error(ErrorCode::kUsage, ini_place(file, number) + ": " + fault);
  }
};

// One escape, `text` standing behind its backslash; moves `text` behind the escape.
char parse_escape(std::string_view& text, const Line& line) {
  const char letter = text.empty() ? '\0' : text.front();
  const std::string_view known = "\"\\nt";
  if (const std::size_t at = known.find(letter); at != std::string_view::npos) {
    text.remove_prefix(1);
    return "\"\\\n\t"[at];
  }
  unsigned code = 0;
  if (letter == 'x' && text.size() >= 3) {
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, code, 16);
    if (error == std::errc{} && end == text.data() + 3 && code != 0) {
      text.remove_prefix(3);
      return static_cast<char>(code);
    }
  }
  line.refuse(
      "in quotes a backslash begins \\\", \\\\, \\n, \\t or \\x and two hexadecimal digits "
      "other than 00; a backslash itself is \\\\");
}

// `text` begins with a quote.
std::string parse_quoted(std::string_view text, const Line& line) {
  std::string value;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    const char c = text.front();
    text.remove_prefix(1);
    value += c == '\\' ? parse_escape(text, line) : c;
  }
  if (text.empty()) line.refuse("the value's closing quote is missing");
  text.remove_prefix(1);
  if (!trimmed(without_comment(text)).empty()) {
    line.refuse("behind the closing quote only a comment may stand, white space before its '#'");
  }
  return value;
}

std::string parse_section(const Line& line) {
  const std::size_t end = line.text.find(']');
  if (end == std::string_view::npos) {
    line.refuse(format("'{}' lacks its closing bracket", excerpt(line.text)));
  }
  const std::string_view name = trimmed(line.text.substr(1, end - 1));
  if (name.empty() || !trimmed(without_comment(line.text.substr(end + 1))).empty()) {
    line.refuse(format("'{}' is no section: [name] alone on its line", excerpt(line.text)));
  }
  return std::string(name);
}

// A film in place of the job file is the likeliest mistake.
void refuse_what_is_no_text(std::string_view text, const std::string& file) {
  const std::string shown = printable(file);
  if (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF") {
    throw Error(ErrorCode::kUsage, format("{} is UTF-16 text: save it as UTF-8", shown));
  }
  const auto refuse = [&](const std::string& sign) {
    throw Error(
        ErrorCode::kUsage,
        format("{} is no job file ({}); for a film say --input.file={}", shown, sign, shown));
  };
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_end = text[i] == '\r' && text.substr(i + 1, 1) == "\n";
    if (text[i] == '\n') {
      ++line;
    } else if (is_control(text[i]) && !line_end) {
      refuse(format(
          "a control character, 0x{:02x}, in line {}", static_cast<unsigned>(text[i]), line));
    }
  }
  if (text.size() > kLargestFile_bytes) refuse("longer than 1 MiB");
}

}  // namespace

std::string ini_place(const std::string& file, int line) {
  return format("{}:{}", printable(file), line);
}

std::vector<IniEntry> parse_ini(std::string_view text, const std::string& file) {
  refuse_what_is_no_text(text, file);
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);  // byte order mark
  std::vector<IniEntry> entries;
  std::map<std::string, int> line_of;
  std::string section;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view content = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!content.empty() && content.back() == '\r') content.remove_suffix(1);
    const Line line{file, number, trimmed(content)};
    if (line.text.empty() || line.text.front() == '#' || line.text.front() == ';') continue;
    if (line.text.front() == '[') {
      section = parse_section(line);
      continue;
    }
    const std::size_t equals = line.text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      line.refuse(format("'{}' is neither [section] nor key = value", excerpt(line.text)));
    }
    const std::string_view key = trimmed(line.text.substr(0, equals));
    if (section.empty()) {
      line.refuse(format("'{}' stands before the first [section]", excerpt(key)));
    }
    IniEntry entry{section + "." + std::string(key), "", number};
    const auto [first, fresh] = line_of.emplace(entry.name, number);
    if (!fresh) {
      line.refuse(
          format("{} is given twice, first in line {}", printable(entry.name), first->second));
    }
    const std::string_view behind = line.text.substr(equals + 1);
    const std::string_view value = trimmed(behind);
    entry.value = !value.empty() && value.front() == '"'
                      ? parse_quoted(value, line)
                      : std::string(trimmed(without_comment(behind)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string ini_value(std::string_view value) {
  const bool plain = trimmed(value) == value && value.substr(0, 1) != "\"" &&
                     value.substr(0, 1) != "#" && without_comment(value) == value &&
                     std::none_of(value.begin(), value.end(), is_control);
  if (plain) return std::string(value);
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (is_control(c)) {
      quoted += format("\\x{:02x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace vsr
