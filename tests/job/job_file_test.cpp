#include "vsr/job/job_file.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <random>

namespace vsr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "no error";
}

std::string file_message(const std::string& content) {
  const test::TemporaryFolder folder;
  const auto path = (folder.path() / "job.ini").string();
  std::ofstream(path) << content;
  return message_of([&] { make_job(read_job_file(path), {}); });
}

Job job_with(const KeyValues& values) {
  KeyValues all = {{"input.file", "film.mkv"}};
  all.insert(all.end(), values.begin(), values.end());
  return make_job(all, {});
}

std::string value_message(const std::string& key, const std::string& value) {
  return message_of([&] { job_with({{key, value}}); });
}

TEST(JobFile, ReadsSectionsCommentsAndSpaces) {
  const test::TemporaryFolder folder;
  const auto path = (folder.path() / "job.ini").string();
  std::ofstream(path) << "# a film\n[input]\n  file = my film.mkv \naudio=0, 2\n\n[final]\ncrf = "
                         "17.5\nfps = 24000/1001\nvariants = pitchLOW\n";
  const Job job = make_job(read_job_file(path), {});
  EXPECT_EQ(job.input.file, "my film.mkv");
  EXPECT_EQ(job.input.audio.list, (std::vector<int>{0, 2}));
  EXPECT_EQ(job.final.crf, 17.5);
  EXPECT_EQ(job.final.fps, Rational(24000, 1001));
  EXPECT_EQ(job.final.variants, std::vector<AudioVariant>{AudioVariant::kPitchLow});
}

TEST(JobFile, UnknownKeySuggestsTheNearest) {
  EXPECT_THAT(file_message("[input]\nfile=x\n[stream]\noverlapp=3\n"),
              AllOf(HasSubstr("stream.overlapp"), HasSubstr("did you mean 'stream.overlap'")));
  EXPECT_THAT(file_message("[input]\nfile=x\n[final]\nmax_seq_len=3\n"),
              HasSubstr("did you mean 'stream.max_seq_len'"));
  EXPECT_THAT(file_message("[input]\nfile=x\n[zebra]\nstripes=3\n"),
              AllOf(HasSubstr("zebra.stripes"), Not(HasSubstr("did you mean"))));
}

TEST(NearestKey, GoesByTheWholeName) {
  EXPECT_EQ(nearest_key("finall.height"), "final.height");
  EXPECT_EQ(nearest_key("preproces.height"), "preprocess.height");
  EXPECT_EQ(nearest_key("Final.Height"), "final.height");
  EXPECT_EQ(nearest_key("FINAL.CRF"), "final.crf");
  EXPECT_EQ(nearest_key("stream.max-seq-len"), "stream.max_seq_len");
  EXPECT_EQ(nearest_key("final.codec"), "segment.codec");
  EXPECT_EQ(nearest_key("zebra.stripes"), "");
}

TEST(JobFile, RefusesWhatIsNoJobFile) {
  EXPECT_THAT(file_message(""), HasSubstr("input.file is missing"));
  EXPECT_THAT(message_of([] { read_job_file("/nonexistent.ini"); }),
              HasSubstr("/nonexistent.ini: the job file cannot be opened: No such file"));
  const test::TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { read_job_file(folder.path().string()); }), HasSubstr("is a folder"));
}

TEST(JobFile, AFilmInPlaceOfTheJobIsToldHowToNameIt) {
  const std::string matroska("\x1A\x45\xDF\xA3\n[input]\n\0\0", 14);
  const std::string transport_stream =
      std::string("G\n\0\x11\x10", 5) + std::string(3 << 20, '\xFF');
  for (const std::string& content :
       {matroska, transport_stream, std::string("[input]\nfile=\rx\n")}) {
    EXPECT_THAT(file_message(content),
                AllOf(HasSubstr("is no job file"), HasSubstr("for a film say --input.file=")));
  }
  EXPECT_THAT(file_message(std::string(3 << 20, '\n')), HasSubstr("longer than 1 MiB"));
  EXPECT_THAT(file_message(std::string("\xFF\xFE[\0i\0", 6)), HasSubstr("save it as UTF-8"));
}

TEST(JobFile, AMistypedCommandIsNoFileAndSuggestsTheCommand) {
  EXPECT_THAT(message_of([] { read_job_file("selftset"); }), HasSubstr("'vsr-dist selftest'"));
  EXPECT_THAT(message_of([] { read_job_file("statsu"); }), HasSubstr("'vsr-dist status'"));
  EXPECT_THAT(message_of([] { read_job_file("film.ini"); }), Not(HasSubstr("selftest")));
  EXPECT_THAT(message_of([] { read_job_file("~/film.ini"); }), HasSubstr("~ is not expanded"));
}

TEST(JobFile, FaultsNameTheLineAndStayOnOne) {
  EXPECT_THAT(file_message("[input]\nfile=x\n\nfinal\n"),
              HasSubstr("job.ini:4: 'final' is neither"));
  EXPECT_THAT(file_message("[stream]\noverlap = ten\n"),
              HasSubstr("job.ini:2: stream.overlap = 'ten'"));
  EXPECT_THAT(file_message("# x\n[stream]\nfps = 5\n"),
              HasSubstr("job.ini:3: unknown key 'stream.fps'"));
  EXPECT_THAT(file_message("[final]\nfps = 0\n"), HasSubstr("job.ini:2: final.fps: '0' is no"));
  EXPECT_THAT(file_message("[in\xFFput]\nfi\xC2\x9Ble=x\n"),
              HasSubstr("'in\\xffput.fi\\xc2\\x9ble'"));
  EXPECT_THAT(value_message("final.crf", "\x1b[2J\n"), HasSubstr("'\\x1b[2J\\n'"));
  EXPECT_THAT(value_message("stream.over\nlap", "3"), HasSubstr("'stream.over\\nlap'"));
}

TEST(JobFile, NamesThatAShellOrABrowserWouldReadAreRefusedWithWhatToDo) {
  for (const char* key : {"input.file", "model.checkpoint", "run.dir"}) {
    EXPECT_THAT(value_message(key, "~/x.mkv"),
                AllOf(HasSubstr(key), HasSubstr("~ is not expanded")));
    EXPECT_THAT(value_message(key, "~anna/x"), HasSubstr("~ is not expanded"));
    EXPECT_THAT(
        value_message(key, "http://host/x.mkv"),
        AllOf(HasSubstr(key), HasSubstr("addresses are not read; download the file first")));
  }
  EXPECT_THAT(file_message("[input]\nfile = ~/x.mkv\n"), HasSubstr("job.ini:2: input.file"));
  for (const char* name : {"x~", "~x.mkv", "./~/x.mkv", "/films/~/x", "a b://c"}) {
    EXPECT_EQ(job_with({{"input.file", name}}).input.file, name);
  }
}

TEST(JobFile, ValuesOutOfRangeAreRefusedWithWhatIsAllowed) {
  EXPECT_THAT(value_message("stream.overlap", "-1"), HasSubstr("a whole number from 0 to 200"));
  EXPECT_THAT(value_message("stream.overlap", "ten"), HasSubstr("stream.overlap = 'ten'"));
  EXPECT_THAT(value_message("stream.overlap", "3.5"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("model.precision", "fp8"),
              HasSubstr("model.precision = 'fp8' is not allowed; allowed: fp16, bf16, tf32, fp32"));
  EXPECT_THAT(value_message("preprocess.crop", "10:10:0"), HasSubstr("width:height:x:y"));
  EXPECT_THAT(value_message("preprocess.crop", "0:10:0:0"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("final.crf", "nan"), HasSubstr("from 0 to 63"));
  EXPECT_THAT(value_message("final.fps", "0"), HasSubstr("final.fps"));
  EXPECT_THAT(value_message("final.audio_bitrate", "640q"), HasSubstr("640k"));
  EXPECT_THAT(value_message("final.audio_bitrate", "640"), HasSubstr("from 8k to 6144k"));
  EXPECT_THAT(value_message("final.audio_bitrate", "7999"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("final.audio_bitrate", "6145k"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("final.audio_bitrate", "7M"), HasSubstr("not allowed"));
  EXPECT_EQ(job_with({{"final.audio_bitrate", "8k"}}).final.audio_bitrate, 8000);
  EXPECT_EQ(job_with({{"final.audio_bitrate", "6144k"}}).final.audio_bitrate, 6'144'000);
  EXPECT_THAT(value_message("final.variants", "pitchOK,pitchOK"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("input.audio", "1,,2"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("input.start", "1:2:3:4"), HasSubstr("a time such as"));
}

TEST(JobFile, RefusesCombinationsThatCannotWork) {
  EXPECT_THAT(message_of([] {
                job_with({{"input.start", "20"}, {"input.end", "10"}});
              }),
              HasSubstr("input.end = 10 does not lie after input.start = 20"));
  EXPECT_THAT(message_of([] {
                job_with({{"preprocess.filters", "null"}, {"preprocess.crop", "10:10:0:0"}});
              }),
              HasSubstr("preprocess.filters replaces"));
  EXPECT_THAT(message_of([] { job_with({{"preprocess.width", "1024"}}); }), HasSubstr("together"));
  EXPECT_THAT(message_of([] {
                job_with({{"preprocess.preset", "pal-dvd"}, {"preprocess.crop", "1024:577:0:0"}});
              }),
              HasSubstr("reaches outside the 1024x576"));
  EXPECT_THAT(message_of([] {
                job_with({{"stream.max_seq_len", "20"}});
              }),
              HasSubstr("leaves nothing between two overlaps"));
}

TEST(JobFile, CommandLineOverFileOverPresetOverDefault) {
  const KeyValues file = {{"input.file", "film.mkv"},
                          {"preprocess.preset", "pal-dvd"},
                          {"preprocess.parity", "bff"},
                          {"stream.overlap", "8"}};
  const Job job = make_job(file, {{"stream.overlap", "6"}});
  EXPECT_EQ(job.preprocess.width, 1024);                   // preset
  EXPECT_EQ(job.preprocess.parity, FieldParity::kBottom);  // file
  EXPECT_EQ(job.stream.overlap, 6);                        // command line
  EXPECT_EQ(job.segment.frames, 480);                      // default
}

TEST(JobFile, FileNamesAreRelativeToTheJobFileOrToWhereTheCommandIsGiven) {
  const Job job = make_job({{"input.file", "film.mkv"}, {"run.dir", "/abs"}},
                           {{"model.checkpoint", "w.pth"}},
                           "/films/one",
                           "/here");
  EXPECT_EQ(job.input.file, "/films/one/film.mkv");
  EXPECT_EQ(job.run.dir, "/abs");
  EXPECT_EQ(job.model.checkpoint, "/here/w.pth");
  EXPECT_EQ(make_job({{"input.file", "film.mkv"}}, {}, "/films").model.checkpoint, "embedded");
}

TEST(JobFile, PrintedJobGivesTheSameJobAgain) {
  const Job job = job_with({{"preprocess.preset", "pal-dvd"},
                            {"preprocess.crop", "1024:432:0:72"},
                            {"input.start", "1:02.5"},
                            {"final.fps", "source"},
                            {"final.height", "native"},
                            {"stream.max_seq_len", "auto"},
                            {"input.audio", "first"}});
  const test::TemporaryFolder folder;
  for (const bool with_help : {false, true}) {
    const auto path = (folder.path() / "printed.ini").string();
    std::ofstream(path) << print_job(job, with_help);
    const Job again = make_job(read_job_file(path), {});
    EXPECT_EQ(job_values(job), job_values(again));
    EXPECT_EQ(job_values(job), job_values(parse_job_text(print_job(job, with_help))));
  }
}

// Names are bytes to a file system: all but NUL.
std::string random_text(std::mt19937& random) {
  static const std::string kLikely = "a=#; \"\\\n\t\r[]'x0\xC3\xA4\xFF\x1b";
  std::string text;
  for (auto size = random() % 12; size > 0; --size) {
    text += random() % 4 == 0 ? static_cast<char>(1 + random() % 255)
                              : kLikely[random() % kLikely.size()];
  }
  return text;
}

TEST(JobFile, AnyTextIsPrintedSoThatItIsReadAgain) {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    Job job;
    for (std::string* text : {&job.input.file,
                              &job.preprocess.filters,
                              &job.model.checkpoint,
                              &job.final.encoder,
                              &job.final.params,
                              &job.final.tune,
                              &job.run.dir}) {
      *text = random_text(random);
    }
    const std::string printed = print_job(job, round % 2 == 0);
    ASSERT_EQ(job_values(job), job_values(parse_job_text(printed))) << printed;
  }
}

TEST(JobFile, PlainValuesArePrintedPlain) {
  const Job job = job_with({{"input.file", "a film; part#1 \"x\".mkv"}, {"final.tune", ""}});
  EXPECT_THAT(print_job(job, false),
              AllOf(HasSubstr("\nfile = a film; part#1 \"x\".mkv\n"), HasSubstr("\ntune = \n")));
}

TEST(JobFile, EveryKeyHasHelpAndAPrintableDefault) {
  const auto help = job_key_help();
  EXPECT_GT(help.size(), 30u);
  for (const auto& [name, text] : help) {
    EXPECT_NE(name.find('.'), std::string::npos);
    EXPECT_NE(text.find("default"), std::string::npos) << name;
  }
}

TEST(JobFile, TilesAreAWordOrASize) {
  using Kind = TileChoice::Kind;
  const auto tile = [](const char* text) { return job_with({{"stream.tile", text}}).stream.tile; };
  EXPECT_EQ(job_with({}).stream.tile, (TileChoice{Kind::kAuto, 0, 0}));
  EXPECT_EQ(tile("off"), (TileChoice{Kind::kOff, 0, 0}));
  EXPECT_EQ(tile("640x512"), (TileChoice{Kind::kSize, 640, 512}));
  for (const char* wrong :
       {"", "640", "640x", "x512", "640x512x3", "640 x 512", "63x512", "1e3x9"}) {
    EXPECT_THAT(value_message("stream.tile", wrong),
                HasSubstr("auto, off, or WIDTHxHEIGHT, each from 64 to 16384"))
        << wrong;
  }
  EXPECT_THAT(message_of([] {
                job_with({{"stream.tile", "640x128"}, {"stream.tile_overlap", "64"}});
              }),
              HasSubstr("stream.tile = 640x128 leaves nothing between two overlaps of 64 pixels"));
  const Job job = job_with({{"stream.tile", "640x512"}, {"stream.tile_overlap", "48"}});
  const Job again = parse_job_text(print_job(job, false));
  EXPECT_EQ(again.stream.tile, job.stream.tile);
  EXPECT_EQ(again.stream.tile_overlap, 48);
  EXPECT_TRUE(changes_segments("stream.tile"));
  EXPECT_TRUE(changes_segments("stream.tile_overlap"));
}

TEST(JobFile, WhereFeaturesAreKeptMayChangeBetweenTwoStarts) {
  const auto features = [](const KeyValues& values) { return job_with(values).stream.features; };
  EXPECT_EQ(features({}), FeatureMemory::kDevice);
  EXPECT_EQ(features({{"stream.features", "host"}}), FeatureMemory::kHost);
  EXPECT_THAT(value_message("stream.features", "disk"), HasSubstr("device, host"));
  EXPECT_FALSE(changes_segments("stream.features"));
  EXPECT_FALSE(changes_final("stream.features"));
}

TEST(JobFile, WhatDecodesAFilmShapesItsPictures) {
  EXPECT_TRUE(changes_segments("stream.decode"));
  EXPECT_EQ(make_job({{"input.file", "film.mkv"}}, {}).stream.decode, DecodeChoice::kCpu);
  EXPECT_EQ(make_job({{"input.file", "film.mkv"}, {"stream.decode", "nvdec"}}, {}).stream.decode,
            DecodeChoice::kNvdec);
}

TEST(JobFile, WithoutMezzaninesThereIsNothingToCopy) {
  EXPECT_EQ(make_job({{"input.file", "film.mkv"}, {"segment.codec", "none"}}, {}).segment.codec,
            SegmentCodec::kNone);
  try {
    make_job({{"input.file", "film.mkv"},
              {"segment.codec", "none"},
              {"final.encoder", "copy"},
              {"final.height", "native"}},
             {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("segment.codec = none"));
  }
}

// "(empty)" rather than a value `empty`.
TEST(JobFile, ThePageOfKeysSaysWhatTheHelpSays) {
  std::ifstream file(test::source_dir() / "docs/job-file.md");
  std::map<std::string, std::string> rows;
  std::string section;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("### [", 0) == 0) section = line.substr(5, line.find(']') - 5);
    if (line.rfind("| `", 0) != 0) continue;
    rows[section + "." + line.substr(3, line.find('`', 3) - 3)] = line;
  }
  const auto help = job_key_help();
  EXPECT_EQ(rows.size(), help.size());
  for (const auto& [name, text] : help) {
    // "what it is (allowed; default value)"
    const std::size_t before = text.rfind("; default ");
    const std::string value = text.substr(before + 10, text.size() - before - 11);
    const std::string& row = rows[name];
    const std::size_t allowed = row.rfind(" | ", row.rfind(" | ") - 1);
    ASSERT_NE(allowed, std::string::npos) << name;
    const std::size_t what = row.find(" | ") + 3;
    const std::string shown = row.substr(what, allowed - what) + " (" +
                              row.substr(allowed + 3, row.rfind(" | ") - allowed - 3);
    EXPECT_EQ(shown, text.substr(0, before));
    EXPECT_EQ(row.substr(row.rfind(" | ") + 3),
              value == "empty" ? std::string("(empty) |") : "`" + value + "` |");
  }
}

TEST(JobFile, ShippedExamplesAreValid) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / "configs")) {
    if (entry.path().extension() != ".ini") continue;
    if (entry.path().filename() == "pods.ini") continue;  // no job: vsr-pods' own (tests/runpod)
    ++seen;
    EXPECT_NO_THROW(make_job(read_job_file(entry.path().string()), {})) << entry.path();
  }
  EXPECT_GE(seen, 3);
}

}  // namespace
}  // namespace vsr
