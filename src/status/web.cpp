#include "web.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

// As launcher/embedded_model.cpp does. VSR_WEB is the folder's path.
// NOLINTBEGIN(hicpp-no-assembler)
#define VSR_WEB_FILE(SYMBOL, FILE)                       \
  asm(".section .rodata\n"                               \
      "vsr_web_" #SYMBOL ": .incbin \"" VSR_WEB "/" FILE \
      "\"\n"                                             \
      "vsr_web_" #SYMBOL                                 \
      "_end: .byte 0\n"                                  \
      ".global vsr_web_" #SYMBOL ", vsr_web_" #SYMBOL    \
      "_end\n"                                           \
      ".hidden vsr_web_" #SYMBOL ", vsr_web_" #SYMBOL    \
      "_end\n"                                           \
      ".previous\n");                                    \
  extern "C" const char vsr_web_##SYMBOL[];              \
  extern "C" const char vsr_web_##SYMBOL##_end[];

VSR_WEB_FILE(style_css, "style.css")
VSR_WEB_FILE(charts_js, "charts.js")
VSR_WEB_FILE(page_html, "page.html")
VSR_WEB_FILE(page_js, "page.js")
VSR_WEB_FILE(report_html, "report.html")
VSR_WEB_FILE(report_js, "report.js")

// NOLINTEND(hicpp-no-assembler)

namespace vsr::status {

namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::string_view web_file(std::string_view name) {
  const std::array<std::pair<std::string_view, std::string_view>, 6> files = {{
      {"style.css", between(vsr_web_style_css, vsr_web_style_css_end)},
      {"charts.js", between(vsr_web_charts_js, vsr_web_charts_js_end)},
      {"page.html", between(vsr_web_page_html, vsr_web_page_html_end)},
      {"page.js", between(vsr_web_page_js, vsr_web_page_js_end)},
      {"report.html", between(vsr_web_report_html, vsr_web_report_html_end)},
      {"report.js", between(vsr_web_report_js, vsr_web_report_js_end)},
  }};
  for (const auto& [file, content] : files) {
    if (file == name) return content;
  }
  throw Error(ErrorCode::kInternal, format("no file of the web pages is called {}", name));
}

std::string whole_page(std::string_view name) {
  constexpr std::string_view kBegin = "<!-- include ";
  constexpr std::string_view kEnd = " -->";
  std::string page;
  std::string_view left = web_file(name);
  while (!left.empty()) {
    const std::size_t length = std::min(left.find('\n'), left.size() - 1) + 1;
    const std::string_view line = left.substr(0, length);
    left.remove_prefix(length);
    const std::size_t begin = line.find(kBegin);
    if (begin == std::string_view::npos) {
      page += line;
      continue;
    }
    const std::size_t file_begin = begin + kBegin.size();
    const std::string_view file = line.substr(file_begin, line.find(kEnd) - file_begin);
    const std::string_view tag = ends_with(file, ".css") ? "style" : "script";
    page += format("<{}>\n{}</{}>\n", tag, web_file(file), tag);
  }
  return page;
}

}  // namespace vsr::status
