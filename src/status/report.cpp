#include "vsr/status/report.hpp"

#include "report_figures.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "web.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <string_view>

namespace vsr::status {

namespace {

// --- Text as markup
// ----------------------------------------------------------------------------------

std::string cell(const std::string& text) { return format("<td>{}</td>", html_escaped(text)); }

std::string number_cell(const std::string& text) {
  return format("<td class=\"number\">{}</td>", html_escaped(text));
}

// Whether this cell of the first row is a number's.
bool is_number(const std::string& rows, std::size_t column) {
  std::size_t at = 0;
  for (std::size_t i = 0; i <= column; ++i) {
    at = rows.find("<td", at);
    if (at == std::string::npos) return false;
    if (i < column) at += 3;
  }
  return rows.compare(at, 18, "<td class=\"number\"") == 0;
}

std::string table(const std::vector<std::string>& heads, const std::string& rows) {
  std::string head;
  // What stands in a column of numbers is told by its first cell.
  for (std::size_t i = 0; i < heads.size(); ++i) {
    head += format(
        "<th scope=\"col\"{}>{}</th>", is_number(rows, i) ? " class=\"number\"" : "", heads[i]);
  }
  return format(
      "<div "
      "class=\"scroll\"><table><thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
      head,
      rows);
}

// "2026-01-31T12:34:56Z" as people write it.
std::string time_cell(std::string text) {
  if (seconds_of(text)) text = text.substr(0, 10) + " " + text.substr(11, 8);
  return format("<td class=\"time\">{}</td>", html_escaped(text));
}

std::string folded(const std::string& title, const std::string& content) {
  return format("<details><summary>{}</summary>\n{}</details>\n", html_escaped(title), content);
}

std::string section(const char* id, const char* title, const std::string& content) {
  return format(
      "<section class=\"card\" id=\"{}\" aria-labelledby=\"{}-title\">\n<h2 "
      "id=\"{}-title\">{}</h2>\n{}</section>\n",
      id,
      id,
      id,
      title,
      content);
}

std::string paragraph(const std::string& text, const char* kind = "") {
  return format("<p class=\"{}\">{}</p>\n", kind, html_escaped(text));
}

// A place that report.js draws into; without scripts a line stands there.
std::string chart(const char* id, const char* title) {
  return format(
      "<figure><figcaption>{}</figcaption>\n<div class=\"plot\" id=\"{}\"><noscript><p "
      "class=\"quiet\">Drawn by a script; the tables have the same figures.</p></noscript></div>"
      "</figure>\n",
      title,
      id);
}

std::string db_text(double db) { return std::isnan(db) ? "" : format("{:.1f}", db); }

// --- Sections
// ----------------------------------------------------------------------------------------

std::string summary_section(const ReportData& data, const Figures& figures) {
  std::string text = paragraph(in_words(data, figures));
  const std::vector<std::string> warnings = warnings_of(data, figures);
  if (warnings.empty()) {
    text += paragraph("\u2713 Nothing went wrong that is known of.", "good");
  } else {
    std::string items;
    for (const std::string& warning : warnings) {
      items += format("<li>{}</li>\n", html_escaped(warning));
    }
    text += format(
        "<p class=\"warning\">\u26a0 Worth a look:</p>\n<ul class=\"warnings\">\n{}</ul>\n", items);
  }
  std::string facts;
  for (const auto& [name, value] : facts_of(data, figures)) {
    facts += format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_escaped(name), html_escaped(value));
  }
  return section("summary", "In short", text + format("<dl class=\"facts\">\n{}</dl>\n", facts));
}

std::string piece_rows(const store::LedgerPieces& records) {
  std::string rows;
  for (const auto& record : records) {
    if (!record) continue;
    std::string stages;
    for (const auto& [stage, seconds] : record->stage_s) {
      stages += format("{}{} {:.1f}", stages.empty() ? "" : ", ", stage, seconds);
    }
    rows += format(
        "<tr>{}{}{}{}{}{}{}{}{}</tr>\n",
        number_cell(format("{}", record->segment.index)),
        number_cell(format("{}\u2013{}", record->segment.core.begin, record->segment.core.end - 1)),
        cell(format("{} on {}", record->rank, record->host)),
        cell(record->device),
        number_cell(format("{}", record->attempt)),
        time_cell(record->started),
        number_cell(format("{:.1f}", record->wall_s)),
        cell(stages),
        number_cell(size_text(static_cast<double>(record->bytes))));
  }
  return rows;
}

std::string time_section(const ReportData& data, const Figures& figures) {
  const std::vector<std::string> heads = {"Segment",
                                          "Frames",
                                          "Rank",
                                          "Device",
                                          "Attempt",
                                          "Begun (UTC)",
                                          "Took, s",
                                          "Of these at work, s",
                                          "Size"};
  std::string text = chart("gantt", "Who worked on what, and when");
  text += chart("speed", "Frames a second");
  text += chart("stages", "At work, a frame");
  text += paragraph(limit_in_words(figures));
  text += folded(format("Table: {} segments that were upscaled", figures.upscaling.pieces),
                 table(heads, piece_rows(data.run.segments)));
  if (data.run.in_chunks) {
    text += folded(format("Table: {} chunks that were encoded", figures.encoding.pieces),
                   table(heads, piece_rows(data.run.chunks)));
  }
  return section("time", "Time", text);
}

std::string jpeg(const std::string& bytes, const std::string& what) {
  if (bytes.empty()) return "";
  return format(
      "<img alt=\"{}\" src=\"data:image/jpeg;base64,{}\">", html_escaped(what), base64(bytes));
}

using Pictures = std::span<const ReportPicture>;

// Which pictures are on the page.
struct Shown {
  std::set<const std::string*> files;
  int left_out = 0;
};

// Of the worst frames first, whole ones before details, as long as there is room.
Shown choose_pictures(const Pictures& worst, const Pictures& middle, std::size_t room) {
  constexpr std::size_t kMarkup = 200;
  Shown shown;
  const auto take = [&](const std::string& before, const std::string& after) {
    if (before.empty() || after.empty()) return;
    const std::size_t needed = (before.size() + after.size() + 4) / 3 * 4 + 2 * kMarkup;
    if (needed > room) {
      shown.left_out += 2;
      return;
    }
    room -= needed;
    shown.files.insert({&before, &after});
  };
  for (const Pictures& list : {worst, middle}) {
    for (const ReportPicture& one : list) take(one.preview.before, one.preview.after);
  }
  for (const Pictures& list : {worst, middle}) {
    for (const ReportPicture& one : list) {
      // Of a small film the detail is the whole.
      const auto whole = jpeg_size(one.preview.after);
      if (whole && jpeg_size(one.preview.detail_after) == whole) continue;
      take(one.preview.detail_before, one.preview.detail_after);
    }
  }
  return shown;
}

std::string picture(const ReportData& data, const ReportPicture& one, const Shown& shown) {
  const std::string what =
      format("Frame {} ({})", one.preview.frame, time_of_frame(data, one.preview.frame));
  std::string caption = format("{}, segment {}", what, one.segment);
  if (!std::isnan(one.back_projection_db)) caption += format(", {:.1f} dB", one.back_projection_db);
  const auto pair = [&](const std::string& before, const std::string& after, const char* of) {
    if (!shown.files.contains(&before)) return std::string();
    return format(
        "<div class=\"pair\"><div>{}<span>before{}</span></div><div>{}<span>after{}</span></div>"
        "</div>",
        jpeg(before, what + " before" + of),
        of,
        jpeg(after, what + " after" + of),
        of);
  };
  return format("<figure class=\"frame\"><figcaption>{}</figcaption>{}{}</figure>\n",
                html_escaped(caption),
                pair(one.preview.before, one.preview.after, ""),
                pair(one.preview.detail_before, one.preview.detail_after, ", detail"));
}

std::string pictures(const ReportData& data,
                     const char* title,
                     const Pictures& list,
                     const Shown& shown) {
  if (list.empty()) return "";
  std::string frames;
  for (const ReportPicture& one : list) frames += picture(data, one, shown);
  return format("<h3>{}</h3>\n<div class=\"frames\">\n{}</div>\n", title, frames);
}

std::string quality_section(const ReportData& data, const Figures& figures, std::size_t room) {
  if (figures.frames_measured == 0 && data.worst.empty() && data.middle.empty()) {
    return section("quality",
                   "Picture",
                   paragraph("Nothing was measured of these frames: none is made yet, or they were "
                             "made by a version of the program that measured nothing.",
                             "quiet"));
  }
  std::string text = paragraph(quality_in_words(figures));
  text += chart("back-projection",
                "Back-projection of each frame, dB (higher is more like the source)");
  text += chart("sharpness-gain", "Sharpness, times that of a bicubic enlargement");
  text += chart("luma", "Mean luma, 0 (black) to 1 (white)");
  std::string rows;
  for (const MeasureFigures& of : figures.measures) {
    rows += format("<tr>{}{}{}{}{}</tr>\n",
                   cell(of.name),
                   number_cell(format("{:.3g}", of.least)),
                   number_cell(format("{:.3g}", of.median)),
                   number_cell(format("{:.3g}", of.most)),
                   number_cell(format("{}", of.least_frame)));
  }
  text += folded("Table: least, usual and most",
                 table({"Measure", "Least", "Median", "Most", "Frame of the least"}, rows));
  const Pictures worst = Pictures(data.worst).first(figures.worst_shown);
  const bool is_low = !worst.empty() && worst.front().back_projection_db < figures.low_db;
  const Shown shown = choose_pictures(worst, data.middle, room);
  text += pictures(data, is_low ? "Worst frames" : "Lowest frames", worst, shown);
  text += pictures(data, "As the film usually looks", data.middle, shown);
  if (shown.left_out > 0) {
    text += paragraph(format("{} are not on this page, which would be too large; the segments' "
                             "records have them.",
                             counted(shown.left_out, "picture")),
                      "quiet");
  }
  return section("quality", "Picture", text);
}

std::string seams_section(const ReportData& data) {
  if (data.run.seams.empty()) return "";
  std::vector<store::LedgerSeam> seams = data.run.seams;
  std::ranges::stable_sort(seams, [](const auto& a, const auto& b) {
    if (a.may_be_seen != b.may_be_seen) return a.may_be_seen;
    return a.likeness_db < b.likeness_db;
  });
  const auto seen = std::ranges::count_if(seams, &store::LedgerSeam::may_be_seen);
  std::string rows;
  for (const store::LedgerSeam& seam : seams) {
    rows += format("<tr>{}{}{}{}{}{}{}</tr>\n",
                   number_cell(format("{}", seam.frame)),
                   cell(time_of_frame(data, seam.frame)),
                   number_cell(format("{}", seam.segment)),
                   number_cell(db_text(seam.likeness_db)),
                   number_cell(format("{:.2f}", seam.step)),
                   number_cell(format("{:.2f}", seam.usual_step)),
                   cell(seam.may_be_seen ? "\u26a0 may be seen" : "no"));
  }
  std::string text = paragraph(
      format("Segments meet in {} places; {} of these may be seen. A place may be seen where what "
             "both segments made of the same frames differs, and the picture changes there more "
             "than it moves.",
             seams.size(),
             seen));
  text +=
      chart("seams-plot", "Likeness of both segments where they meet, dB (higher is more alike)");
  text += folded(
      format("Table: {} places, the ones that may be seen first", seams.size()),
      table({"Frame", "Time", "Segment", "Likeness, dB", "Step, of 255", "Usual step", "Seen"},
            rows));
  return section("seams", "Seams", text);
}

std::string retries_section(const ReportData& data, const Figures& figures) {
  std::string text;
  std::string rows;
  for (const Failure& failure : figures.failures) {
    rows += format("<tr>{}{}{}{}</tr>\n",
                   time_cell(failure.time),
                   cell(failure.piece),
                   number_cell(format("{}", failure.rank)),
                   cell(failure.reason));
  }
  if (!rows.empty()) {
    text += "<h3>Attempts that failed</h3>\n" + table({"Time (UTC)", "What", "Rank", "Why"}, rows);
  }
  rows.clear();
  for (const auto& [what, attempt] : figures.retried) {
    rows += format("<tr>{}{}</tr>\n", cell(what), number_cell(format("{}", attempt)));
  }
  if (!rows.empty()) {
    text += "<h3>Made by a later attempt</h3>\n" + table({"What", "Attempt"}, rows);
  }
  rows.clear();
  const auto add_events = [&](const store::LedgerPieces& records, const char* what) {
    for (const auto& record : records) {
      if (!record) continue;
      for (const std::string& event : record->events) {
        rows += format(
            "<tr>{}{}</tr>\n", cell(format("{} {}", what, record->segment.index)), cell(event));
      }
    }
  };
  add_events(data.run.segments, "segment");
  add_events(data.run.chunks, "chunk");
  if (!rows.empty()) {
    text += "<h3>Otherwise than planned</h3>\n" + table({"Piece", "What"}, rows);
  }
  rows.clear();
  for (const auto& [name, start] : data.run.starts) {
    for (const store::StartEvent& event : start.events) {
      rows += format("<tr>{}{}{}{}</tr>\n",
                     time_cell(event.time),
                     cell(event.level),
                     number_cell(format("{}", event.rank)),
                     cell(event.text));
    }
    if (start.events_left_out > 0) {
      rows += format("<tr>{}{}{}{}</tr>\n",
                     time_cell(start.seen),
                     cell(""),
                     cell(""),
                     cell(format("and {} more", start.events_left_out)));
    }
  }
  if (!rows.empty()) {
    text += folded("Warnings and errors of the log",
                   table({"Time (UTC)", "Level", "Rank", "What"}, rows));
  }
  if (text.empty())
    text = paragraph("Nothing was tried twice, and nothing went otherwise than planned.");
  return section("retries", "Retried, and otherwise than planned", text);
}

std::string sizes_section(const ReportData& data) {
  std::string rows;
  for (const auto& [what, bytes] : sizes_of(data)) {
    rows += format("<tr>{}{}</tr>\n", cell(what), number_cell(size_text(bytes)));
  }
  return section("sizes", "Sizes", table({"What", "Size"}, rows));
}

std::string start_section(const ReportData& data, const Figures& figures) {
  std::string rows;
  std::string commands;
  std::size_t number = 0;
  for (const auto& [name, start] : data.run.starts) {
    ++number;
    std::string hosts;
    std::vector<std::string> named;
    for (const store::StartRank& rank : start.ranks) {
      const std::string what = format("{} ({}, {})",
                                      rank.host,
                                      rank.gpu.empty() ? "no GPU" : rank.gpu,
                                      counted(rank.cpus, "processor"));
      if (std::ranges::find(named, what) != named.end()) continue;
      named.push_back(what);
      hosts += (hosts.empty() ? "" : "; ") + what;
    }
    rows += format("<tr>{}{}{}{}{}{}</tr>\n",
                   number_cell(format("{}", number)),
                   time_cell(start.begun),
                   start.ended.empty()
                       ? cell(format("none known; at work at {}", figures.starts[number - 1].last))
                       : time_cell(start.ended),
                   cell(end_in_words(start)),
                   number_cell(format("{}", start.ranks.size())),
                   cell(hosts));
    commands += format(
        "# start {}, {}{}\n", number, start.begun, start.job_name.empty() ? "" : ", beside others");
    commands += format("cd {}\n{}\n", shell_quoted(start.directory), command_line(start));
  }
  std::string text;
  if (rows.empty()) {
    text += paragraph("No start left its file: the run was made by an older version.", "quiet");
  } else {
    text += table({"Start", "Begun (UTC)", "Ended (UTC)", "How", "Ranks", "On"}, rows);
    text += format("<h3>Commands</h3>\n<div class=\"copy\"><pre tabindex=\"0\">{}</pre></div>\n",
                   html_escaped_lines(commands));
    std::string versions;
    for (const std::string& line : data.run.starts.back().second.versions) versions += line + "\n";
    text += format(
        "<h3>Versions (of the last start)</h3>\n<div class=\"copy\"><pre "
        "tabindex=\"0\">{}</pre></div>\n",
        html_escaped_lines(versions));
  }
  std::string job;
  std::string section_name;
  for (const auto& [key, value] : data.run.job) {
    const std::string own = key.substr(0, key.find('.'));
    if (own != section_name) job += format("{}[{}]\n", job.empty() ? "" : "\n", section_name = own);
    job += format("{} = {}\n", key.substr(key.find('.') + 1), one_line(value));
  }
  if (!job.empty()) {
    text += folded("The job, every key resolved",
                   format("<div class=\"copy\"><pre tabindex=\"0\">{}</pre></div>\n",
                          html_escaped_lines(job)));
  }
  std::string identity;
  for (const auto& [name, value] : data.run.plan.identity) {
    identity += format("{} = {}\n", name, one_line(value));
  }
  text += folded("What the pictures depend on",
                 format("<div class=\"copy\"><pre tabindex=\"0\">plan {}\n{}</pre></div>\n",
                        data.run.plan.fingerprint(),
                        html_escaped_lines(identity)));
  return section("starts", "Starts, commands and versions", text);
}

// Puts `content` in place of the line `mark`, which is in every page of ours.
void fill(std::string& page, std::string_view mark, const std::string& content) {
  const std::size_t at = page.find(mark);
  if (at != std::string::npos) page.replace(at, mark.size(), content);
}

}  // namespace

std::string report_html(const ReportData& data) {
  const Figures figures = figures_of(data);
  std::string content = format(
      "<header>\n<h1>{}</h1>\n<p class=\"quiet\">{}, as of {}; by vsr-dist "
      "{}</p>\n</header>\n<main>\n",
      html_escaped(film_name(data)),
      html_escaped(data.run_dir),
      html_escaped(data.made),
      html_escaped(data.program_version));
  content += summary_section(data, figures);
  content += time_section(data, figures);
  const std::string behind = seams_section(data) + retries_section(data, figures) +
                             sizes_section(data) + start_section(data, figures);
  const std::string for_script = script_data(data, figures);
  std::string page = whole_page("report.html");
  constexpr std::size_t kWordsOnPicture = 20'000;
  const std::size_t taken =
      page.size() + content.size() + behind.size() + for_script.size() + kWordsOnPicture;
  content += quality_section(data, figures, kMostPageBytes - std::min(kMostPageBytes, taken));
  content += behind;
  content += "</main>\n";
  // From the end on, so that no mark is looked for in what was filled in.
  fill(page, "<!-- data -->", for_script);
  fill(page, "<!-- content -->", content);
  fill(page, "<!-- title -->", html_escaped(film_name(data)));
  return page;
}

bool is_report(std::string_view begin) {
  constexpr std::string_view kTitle = "<!-- title -->";
  constexpr std::string_view kTitleEnd = "</title>";
  const std::string_view page = web_file("report.html");
  const std::size_t at = page.find(kTitle);
  const std::string_view behind = page.substr(at + kTitle.size());
  return begin.starts_with(page.substr(0, at)) &&
         begin.find(behind.substr(0, behind.find(kTitleEnd) + kTitleEnd.size())) !=
             std::string_view::npos;
}

}  // namespace vsr::status
