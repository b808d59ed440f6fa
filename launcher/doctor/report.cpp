#include "doctor/report.hpp"

#include "doctor/checks.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"
#include "vsr/base/printable.hpp"

#include <algorithm>
#include <initializer_list>
#include <sstream>
#include <utility>

namespace vsr::launcher::doctor {

namespace {

const std::string kForm = "vsr-dist doctor 1";
constexpr const char* kVerdicts[] = {"ok", "warning", "failure"};
constexpr double kMostSkew_s = 1;

const char* name_of(Verdict verdict) { return kVerdicts[static_cast<int>(verdict)]; }

std::string place(const Findings& rank) { return format("rank {} on {}", rank.rank, rank.host); }

std::string join(const std::string& list, const std::string& next) {
  return list.empty() ? next : list + ", " + next;
}

// Between ranks: a line of fields with tabs between, which printable() leaves in no field.
std::string row(std::initializer_list<std::string> fields) {
  std::string text;
  for (const std::string& field : fields) text += printable(field) + '\t';
  return text + '\n';
}

std::vector<std::string> fields_of(const std::string& row, std::size_t count) {
  std::vector<std::string> fields;
  std::istringstream text(row);
  for (std::string field; std::getline(text, field, '\t');) fields.push_back(field);
  if (fields.size() != count || row.back() != '\t') {
    throw Error(ErrorCode::kCluster, "a rank runs another version of vsr-dist: use one everywhere");
  }
  return fields;
}

int number(const std::string& text, int otherwise) {
  return parse_number<int>(text).value_or(otherwise);
}

Check compare_versions(const std::vector<Findings>& ranks) {
  const std::string& first = ranks.front().versions;
  std::string others;
  for (const Findings& rank : ranks) {
    if (rank.versions != first) others = join(others, rank.versions + " on " + place(rank));
  }
  return unless(others.empty(),
                failure("versions",
                        ErrorCode::kCluster,
                        first + (others.empty() ? " everywhere" : "; but " + others),
                        "install the same on every host"));
}

Check compare_clocks(const std::vector<Findings>& ranks) {
  std::vector<std::pair<double, std::string>> clocks;
  for (const Findings& rank : ranks) {
    if (rank.clock_s) clocks.emplace_back(*rank.clock_s, place(rank));
  }
  if (clocks.empty()) return warning("clocks", "not compared", "see to the run directory first");
  const auto [least, most] = std::minmax_element(clocks.begin(), clocks.end());
  const double skew = most->first - least->first;
  if (skew <= kMostSkew_s) return ok("clocks", format("{:.3f} s apart at most", skew));
  return warning("clocks",
                 format("{} is {:.3f} s ahead of {}", most->second, skew, least->second),
                 "set the hosts' clocks (chrony, NTP)");
}

}  // namespace

std::string encode(const Findings& findings) {
  const std::string clock = findings.clock_s ? format("{:.6f}", *findings.clock_s) : "none";
  std::string text = row({kForm,
                          std::to_string(findings.rank),
                          findings.host,
                          findings.versions,
                          clock,
                          findings.claims});
  for (const Check& check : findings.checks) {
    text += row({check.name,
                 std::to_string(static_cast<int>(check.verdict)),
                 check.seen,
                 check.advice,
                 std::to_string(static_cast<int>(check.code))});
  }
  return text;
}

Findings decode_findings(const std::string& bytes) {
  std::istringstream text(bytes);
  std::string line;
  std::getline(text, line);
  // Of another form: no line at all.
  const auto head = fields_of(line.starts_with(kForm + '\t') ? line : "\t", 6);
  Findings findings{number(head[1], 0), head[2], head[3], {}, head[5], {}};
  findings.clock_s = parse_number<double>(head[4]);
  while (std::getline(text, line)) {
    const auto fields = fields_of(line, 5);
    const int verdict = std::clamp(number(fields[1], 0), 0, 2);
    const auto code =
        static_cast<ErrorCode>(number(fields[4], static_cast<int>(ErrorCode::kInternal)));
    findings.checks.push_back(
        {fields[0], static_cast<Verdict>(verdict), fields[2], fields[3], code});
  }
  return findings;
}

std::vector<Check> compare(const std::vector<Findings>& ranks) {
  std::vector<std::string> claims;
  claims.reserve(ranks.size());
  for (const Findings& rank : ranks) claims.push_back(rank.claims);
  return {compare_versions(ranks), check_claims("claims of ranks", claims), compare_clocks(ranks)};
}

std::vector<Line> merge(const std::vector<Findings>& ranks) {
  std::vector<Line> lines;
  for (const Findings& rank : ranks) {
    for (const Check& check : rank.checks) {
      const auto equal =
          std::find_if(lines.begin(), lines.end(), [&](auto& line) { return line.check == check; });
      if (equal != lines.end()) {
        equal->ranks.push_back(rank.rank);
        equal->where = join(equal->where, place(rank));
        continue;
      }
      // Behind the last one of its name.
      const auto last = std::find_if(
          lines.rbegin(), lines.rend(), [&](auto& line) { return line.check.name == check.name; });
      lines.insert(last == lines.rend() ? lines.end() : last.base(),
                   {check, {rank.rank}, place(rank)});
    }
  }
  for (Line& line : lines) {
    const auto named = std::count_if(lines.begin(), lines.end(), [&](const Line& other) {
      return other.check.name == line.check.name;
    });
    if (named == 1) line.where.clear();
  }
  return lines;
}

int exit_status(const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    if (line.check.verdict == Verdict::kFailure) return static_cast<int>(line.check.code);
  }
  return 0;
}

std::string print_text(const std::vector<Line>& lines) {
  std::string text;
  int counts[3] = {};
  for (const Line& line : lines) {
    const Check& check = line.check;
    ++counts[static_cast<int>(check.verdict)];
    std::string told = line.where.empty() ? check.seen : line.where + ": " + check.seen;
    if (!check.advice.empty()) told += "; " + check.advice;
    text += format("{:<8} {:<16} {}\n", name_of(check.verdict), check.name, printable(told));
  }
  return text + format("ok: {}, warnings: {}, failures: {}\n", counts[0], counts[1], counts[2]);
}

std::string print_json(const std::vector<Line>& lines, const std::string& program, int ranks) {
  // Bytes that are no UTF-8 may not stand in JSON; as in the log, they stand as \xNN.
  const auto member = [](const char* name, const std::string& text) {
    return format("\"{}\": \"{}\", ", name, json_escaped(printable(text)));
  };
  std::string text = format("{{{}\"ranks\": {}, \"checks\": [", member("program", program), ranks);
  const char* separator = "";
  for (const Line& line : lines) {
    const Check& check = line.check;
    std::string by;
    for (const int rank : line.ranks) by = join(by, std::to_string(rank));
    text += separator + std::string("\n  {") + member("name", check.name) +
            member("verdict", name_of(check.verdict)) + member("seen", check.seen) +
            member("advice", check.advice) + member("where", line.where) +
            format("\"ranks\": [{}], \"exit_status\": {}}}", by, exit_status({line}));
    separator = ",";
  }
  return text + format("\n], \"exit_status\": {}}}\n", exit_status(lines));
}

}  // namespace vsr::launcher::doctor
