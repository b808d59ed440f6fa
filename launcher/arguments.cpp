#include "arguments.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace vsr::launcher {

namespace fs = std::filesystem;

namespace {

namespace po = boost::program_options;

po::options_description general_options() {
  po::options_description options("Options");
  options.add_options()                                                                        //
      ("help,h", "this text")                                                                  //
      ("version", "versions of vsr-dist and of every library it uses")                         //
      ("print-config", "the job with every key resolved, as a job file")                       //
      ("dry-run", "look at the film, make the plan, estimate memory, disk and time; no work")  //
      ("fresh", "start over: what the run directory holds is moved aside, not deleted")        //
      ("role",
       po::value<std::string>(),
       "what this rank does: auto, or encode (chunks of the film only)")                    //
      ("log-level", po::value<std::string>(), "trace, debug, info, warning, error or off")  //
      ("log-json", "log lines as JSON objects")                                             //
      ("progress",
       po::value<std::string>(),
       "how a run is told while it is at work: lines, off, or auto: a live block where there is a "
       "terminal, else lines")  //
      ("progress-every",
       po::value<std::string>(),
       "seconds between two of these lines, of which none comes while nothing moves; default: 30");
  return options;
}

po::options_description dry_run_options() {
  po::options_description options("Option of --dry-run");
  options.add_options()("json", "what it has found as one JSON document (docs/costs.md)");
  return options;
}

po::options_description selftest_options() {
  po::options_description options("Options of 'vsr-dist selftest'");
  options.add_options()                                                                        //
      ("checkpoint", po::value<std::string>(), "weights to test; default: the shipped ones")   //
      ("golden", po::value<std::vector<std::string>>(), "golden files (.h5) to test against")  //
      ("device", po::value<std::string>(), "auto, cpu or cuda")                                //
      ("precision", po::value<std::string>(), "fp32, tf32, bf16 or fp16");
  return options;
}

po::options_description doctor_options() {
  po::options_description options("Options of 'vsr-dist doctor'");
  options.add_options()                            //
      ("json", "the checks as one JSON document")  //
      ("hosts",
       po::value<std::string>(),
       "host file as for mpirun: also try ssh to every host of it, and back");
  return options;
}

po::options_description status_options() {
  po::options_description options("Options of 'vsr-dist status'");
  options.add_options()                                          //
      ("json", "as the JSON document that the status page has")  //
      ("watch", "again every two seconds, until the run is over");
  return options;
}

po::options_description report_options() {
  po::options_description options("Options of 'vsr-dist report'");
  options.add_options()  //
      ("output,o",
       po::value<std::string>(),
       "the page; default: report/index.html in the run")  //
      ("force", "replace the file of -o, also where it is no report");
  return options;
}

po::options_description of_two_films(const char* caption) {
  po::options_description options(caption);
  options.add_options()  //
      ("offset",
       po::value<std::string>(),
       "frames of B that come before A's first one; auto, the default: found by the pictures")  //
      ("align",
       po::value<std::string>(),
       "which frames belong together: of the same number, of the same time, or auto")  //
      ("start",
       po::value<std::string>(),
       "from this time of A on (90, 1:30, 0:01:30.5), or this frame (#1234)")  //
      ("duration", po::value<std::string>(), "no more than this")              //
      ("force", "replace the output where there is one");
  return options;
}

po::options_description qc_options() {
  po::options_description options = of_two_films("Options of 'vsr-dist qc'");
  options.add_options()                            //
      ("json", "the result as one JSON document")  //
      ("fail-below",
       po::value<double>(),
       "exit status 3 where all frames and planes together have a PSNR of less dB")  //
      ("output,o", po::value<std::string>(), "also a table (CSV) with a line for each frame");
  return options;
}

po::options_description compare_options() {
  po::options_description options = of_two_films("Options of 'vsr-dist compare'");
  options.add_options()  //
      ("output,o",
       po::value<std::string>(),
       "the video (.mkv, .mp4, .mov) or picture (.png, .jpg)")  //
      ("mode",
       po::value<std::string>(),
       "side (by side) or split (left half of A, right half of B)")  //
      ("at",
       po::value<std::string>(),
       "this picture alone: a time of A, or a frame (#1234); for .png and .jpg");
  return options;
}

// What a command line may begin with in place of a job.
struct CommandWord {
  const char* word;
  Command command;
  po::options_description (*options)();
};

const std::vector<CommandWord>& command_words() {
  static const std::vector<CommandWord> words = {
      {"selftest", Command::kSelftest, selftest_options},
      {"doctor", Command::kDoctor, doctor_options},
      {"status", Command::kStatus, status_options},
      {"report", Command::kReport, report_options},
      {"qc", Command::kQc, qc_options},
      {"compare", Command::kCompare, compare_options},
  };
  return words;
}

// Files of a command that takes just so many.
void take_files(const std::string& command,
                const char* what,
                std::size_t wanted,
                std::size_t given) {
  if (given == wanted) return;
  throw Error(ErrorCode::kUsage,
              format("vsr-dist {} takes {}; {} given; see 'vsr-dist --help'",
                     command,
                     what,
                     given == 0 ? "none was" : format("{} were", given)));
}

log::Level parse_level(const std::string& text) {
  const std::vector<std::string> names = {"trace", "debug", "info", "warning", "error", "off"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<log::Level>(i);
  }
  throw Error(ErrorCode::kUsage,
              format("--log-level={} is not allowed; allowed: trace, debug, info, warning, error, "
                     "off",
                     text));
}

bool is_key(const std::string& option) {
  return option.rfind("--", 0) == 0 &&
         option.substr(0, option.find('=')).find('.') != std::string::npos;
}

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  Arguments arguments;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") {  // what follows are files, whatever they look like
      words.insert(words.end(), argv + i, argv + argc);
      break;
    }
    if (!is_key(word)) {
      words.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) {
      arguments.values.emplace_back(word.substr(2, equals - 2), word.substr(equals + 1));
    } else if (i + 1 < argc) {
      arguments.values.emplace_back(word.substr(2), argv[++i]);
    } else {
      throw Error(ErrorCode::kUsage, format("{} needs a value: {}=...", word, word));
    }
  }
  po::options_description options = general_options();
  std::string command;
  for (const CommandWord& known : command_words()) {
    if (words.empty() || words.front() != known.word) continue;
    command = known.word;
    arguments.command = known.command;
    options.add(known.options());
    words.erase(words.begin());
    break;
  }
  if (command.empty()) options.add(dry_run_options());
  const bool takes_job =
      arguments.command == Command::kRun || arguments.command == Command::kDoctor;
  options.add_options()("file", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("file", -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(words)
                  .options(options)
                  .positional(positional)
                  .style(style::unix_style & ~style::allow_guessing)
                  .run(),
              given);
  } catch (const po::error& failure) {
    throw Error(ErrorCode::kUsage, format("{}; see 'vsr-dist --help'", failure.what()));
  }
  arguments.fresh = given.count("fresh") != 0;
  arguments.log_json = given.count("log-json") != 0;
  if (given.count("role") != 0) {
    const auto role = given["role"].as<std::string>();
    if (role != "auto" && role != "encode") {
      throw Error(ErrorCode::kUsage,
                  format("--role={} is not allowed; allowed: auto, encode", role));
    }
    arguments.encode_only = role == "encode";
  }
  if (given.count("log-level") != 0) {
    arguments.log_level = parse_level(given["log-level"].as<std::string>());
    arguments.log_level_given = true;
  }
  if (given.count("progress") != 0) {
    arguments.progress = given["progress"].as<std::string>();
    const std::vector<std::string> allowed = {"auto", "lines", "off"};
    if (std::find(allowed.begin(), allowed.end(), arguments.progress) == allowed.end()) {
      throw Error(
          ErrorCode::kUsage,
          format("--progress={} is not allowed; allowed: auto, lines, off", arguments.progress));
    }
  }
  if (given.count("progress-every") != 0) {
    const auto text = given["progress-every"].as<std::string>();
    const auto seconds = parse_number<double>(text);
    if (!seconds || !(*seconds >= 0.1) || !(*seconds <= 86'400)) {
      throw Error(
          ErrorCode::kUsage,
          format("--progress-every={} is not allowed; allowed: seconds, from 0.1 to 86400", text));
    }
    arguments.progress_every_s = *seconds;
  }
  std::vector<std::string> files;
  if (given.count("file") != 0) files = given["file"].as<std::vector<std::string>>();
  if (!takes_job && !arguments.values.empty()) {
    throw Error(ErrorCode::kUsage,
                format("--{} belongs to a job; vsr-dist {} takes none",
                       arguments.values.front().first,
                       command));
  }
  if (takes_job && files.size() > 1) {
    std::string commands;
    for (const CommandWord& known : command_words()) {
      commands += format("{}{}", commands.empty() ? "" : ", ", known.word);
    }
    throw Error(ErrorCode::kUsage,
                format("one job file at a time: '{}' and '{}' were given; commands are {}",
                       files[0],
                       files[1],
                       commands));
  }
  if (takes_job && !files.empty()) arguments.job_file = files.front();
  const bool asks = given.count("help") + given.count("version") != 0;
  const auto is_given = [&](const char* name) {
    return options.find_nothrow(name, false) != nullptr && given.count(name) != 0;
  };
  const auto text = [&](const char* name, std::string& field) {
    if (is_given(name)) field = given[name].as<std::string>();
  };
  arguments.json = is_given("json");
  arguments.watch = is_given("watch");
  text("output", arguments.output);
  text("offset", arguments.offset);
  text("mode", arguments.mode);
  text("at", arguments.at);
  text("start", arguments.start);
  text("duration", arguments.duration);
  text("align", arguments.align);
  arguments.force = is_given("force");
  if (is_given("fail-below")) arguments.fail_below = given["fail-below"].as<double>();
  switch (arguments.command) {
    case Command::kSelftest:
      text("checkpoint", arguments.checkpoint);
      text("device", arguments.device);
      text("precision", arguments.precision);
      if (given.count("golden") != 0) {
        arguments.golden = given["golden"].as<std::vector<std::string>>();
      }
      arguments.golden.insert(arguments.golden.end(), files.begin(), files.end());
      break;
    case Command::kDoctor:
      text("hosts", arguments.hosts);
      // Its lines are what there is to say.
      if (given.count("log-level") == 0) arguments.log_level = log::Level::kError;
      break;
    case Command::kStatus:
    case Command::kReport:
      if (!asks) take_files(command, "one run directory", 1, files.size());
      if (!files.empty()) arguments.run_dir = files.front();
      break;
    case Command::kQc:
    case Command::kCompare:
      if (!asks) take_files(command, "two films", 2, files.size());
      arguments.inputs = files;
      break;
    default:
      break;
  }
  if (given.count("print-config") != 0) arguments.command = Command::kPrintConfig;
  if (given.count("dry-run") != 0) arguments.command = Command::kDryRun;
  if (given.count("version") != 0) arguments.command = Command::kVersion;
  if (given.count("help") != 0) arguments.command = Command::kHelp;
  if (arguments.json && command.empty() && !asks && arguments.command != Command::kDryRun) {
    throw Error(
        ErrorCode::kUsage,
        "--json belongs to --dry-run; a run tells by --log-json and vsr-dist status --json");
  }
  if (arguments.command == Command::kRun && arguments.job_file.empty() &&
      arguments.values.empty()) {
    throw Error(ErrorCode::kUsage, "no job given: vsr-dist JOB.ini, or see 'vsr-dist --help'");
  }
  return arguments;
}

std::string help_text() {
  std::ostringstream text;
  text
      << "vsr-dist: takes a film through BasicVSR++ on one or many GPUs to a master\n\n"
         "  vsr-dist JOB.ini [--section.key=value ...]             one GPU, or the CPU\n"
         "  mpirun -n 4 vsr-dist JOB.ini [--section.key=value ...]  four GPUs\n"
         "  vsr-dist selftest [--checkpoint F] [--golden G.h5 ...] [--device cuda|cpu]\n"
         "  vsr-dist doctor [JOB.ini] [--section.key=value ...]    what this machine gives a run\n"
         "  mpirun -n 4 vsr-dist doctor ...                        ... and every host of "
         "several\n"
         "  vsr-dist status RUN [--watch] [--json]                 how far a run is, be it at work "
         "or not\n"
         "  vsr-dist report RUN                                    its report, "
         "RUN/report/index.html\n"
         "  vsr-dist qc A B [-o FRAMES.csv] [--json]               how far two films are apart\n"
         "  vsr-dist compare A B -o OUT [--mode side|split]        both in one video or picture\n\n"
         "The same command again goes on where a run was stopped.\n\n"
      << general_options() << '\n'
      << dry_run_options() << '\n';
  for (const CommandWord& known : command_words()) text << known.options() << '\n';
  text << "Keys of the job file, each also as --section.key=value:\n";
  std::string section;
  for (const auto& [name, help] : job_key_help()) {
    const std::string own = name.substr(0, name.find('.'));
    if (own != section) text << "\n  [" << (section = own) << "]\n";
    text << "    " << name.substr(name.find('.') + 1) << ": " << help << '\n';
  }
  text << "\nExit status: 0 done, 2 usage or job file, 3 input, 4 model, 5 GPU, 6 storage,\n"
          "7 cluster, 130 or 143 interrupted (resumable), 1 a bug of ours.\n";
  return text.str();
}

Job job_of(const Arguments& arguments) {
  const KeyValues file =
      arguments.job_file.empty() ? KeyValues{} : read_job_file(arguments.job_file);
  // Whole names: what is printed, logged and told to other ranks means the same everywhere.
  const fs::path here = fs::current_path();
  const fs::path base = (here / arguments.job_file).parent_path();
  Job job = make_job(file, arguments.values, base.string(), here.string());
  if (job.run.dir.empty()) {
    const fs::path named =
        arguments.job_file.empty() ? fs::path(job.input.file) : fs::path(arguments.job_file);
    job.run.dir = (here / "runs" / named.stem()).string();
  }
  fs::path run_dir = fs::path(job.run.dir).lexically_normal();
  if (!run_dir.has_filename()) run_dir = run_dir.parent_path();  // "runs/film/"
  job.run.dir = run_dir.string();
  return job;
}

}  // namespace vsr::launcher
