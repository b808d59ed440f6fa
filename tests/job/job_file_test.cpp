#include "vsr/job/job_file.hpp"

#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace vsr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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
              AllOf(HasSubstr("zebra.stripes"), ::testing::Not(HasSubstr("did you mean"))));
}

TEST(JobFile, RefusesWhatIsNoJobFile) {
  EXPECT_THAT(file_message("[input]\nfile=x\nfile=y\n"), HasSubstr("input.file is given twice"));
  EXPECT_THAT(file_message("[input\nfile=x\n"), HasSubstr("not in the form"));
  EXPECT_THAT(file_message("just words\n"), HasSubstr("not in the form"));
  EXPECT_THAT(file_message(""), HasSubstr("input.file is missing"));
  EXPECT_THAT(message_of([] { read_job_file("/nonexistent.ini"); }), HasSubstr("cannot be opened"));
}

TEST(JobFile, ValuesOutOfRangeAreRefusedWithWhatIsAllowed) {
  EXPECT_THAT(value_message("stream.overlap", "-1"), HasSubstr("a whole number from 0 to 200"));
  EXPECT_THAT(value_message("stream.overlap", "ten"), HasSubstr("stream.overlap = 'ten'"));
  EXPECT_THAT(value_message("stream.overlap", "3.5"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("model.precision", "fp64"), HasSubstr("fp16, bf16, tf32, fp32"));
  EXPECT_THAT(value_message("preprocess.crop", "10:10:0"), HasSubstr("width:height:x:y"));
  EXPECT_THAT(value_message("preprocess.crop", "0:10:0:0"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("final.crf", "nan"), HasSubstr("from 0 to 63"));
  EXPECT_THAT(value_message("final.fps", "0"), HasSubstr("final.fps"));
  EXPECT_THAT(value_message("final.audio_bitrate", "640q"), HasSubstr("640k"));
  EXPECT_THAT(value_message("final.variants", "pitchOK,pitchOK"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("input.audio", "1,,2"), HasSubstr("not allowed"));
  EXPECT_THAT(value_message("input.start", "1:2:3:4"), HasSubstr("a time such as"));
}

TEST(JobFile, RefusesCombinationsThatCannotWork) {
  EXPECT_THAT(message_of([] {
                job_with({{"input.start", "20"}, {"input.end", "10"}});
              }),
              HasSubstr("before input.start"));
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

TEST(JobFile, EveryKeyHasHelpAndAPrintableDefault) {
  const auto help = job_key_help();
  EXPECT_GT(help.size(), 30u);
  for (const auto& [name, text] : help) {
    EXPECT_NE(name.find('.'), std::string::npos);
    EXPECT_NE(text.find("default"), std::string::npos) << name;
  }
}

TEST(JobFile, ShippedExamplesAreValid) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / "configs")) {
    if (entry.path().extension() != ".ini") continue;
    ++seen;
    EXPECT_NO_THROW(make_job(read_job_file(entry.path().string()), {})) << entry.path();
  }
  EXPECT_GE(seen, 3);
}

}  // namespace
}  // namespace vsr
