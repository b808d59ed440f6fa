#include "arguments.hpp"
#include "table.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

namespace vsr::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(BenchTable, ColumnsLineUp) {
  Table table({"kernel", "ms"});
  table.row({"a", "0.125"});
  table.row({"a longer one", "12"});
  EXPECT_EQ(table.text(),
            "| kernel       |    ms |\n"
            "| ------------ | ----- |\n"
            "| a            | 0.125 |\n"
            "| a longer one |    12 |\n");
}

TEST(BenchArguments, TakesWordsInOrderAndDefaultsBehindThem) {
  Arguments words("network", {"film.mkv", "7", "1,2,4", "host"});
  EXPECT_EQ(words.text("FILM"), "film.mkv");
  EXPECT_EQ(words.number("FRAMES", 30), 7);
  EXPECT_THAT(words.numbers("THREADS", {1}), ElementsAre(1, 2, 4));
  EXPECT_EQ(words.choice("FEATURES", {"device", "host"}), "host");
  EXPECT_EQ(words.choice("FEATURES", {"device", "host"}), "device");
  EXPECT_EQ(words.precision(Precision::kBf16), Precision::kBf16);
  EXPECT_EQ(words.number("ROUNDS", 2), 2);
  words.end();
}

std::string refusal(const std::function<void()>& taken) {
  try {
    taken();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "nothing was refused";
}

TEST(BenchArguments, RefusesByName) {
  Arguments words("network", {"x", "0", "fp8"});
  EXPECT_THAT(refusal([&] { words.number("WIDTH", 1); }), HasSubstr("network: WIDTH is 'x'"));
  EXPECT_THAT(refusal([&] { words.number("FRAMES", 1); }), HasSubstr("FRAMES is '0'"));
  EXPECT_THAT(refusal([&] { words.end(); }), HasSubstr("'fp8' is one word too many"));
  EXPECT_THAT(refusal([&] { words.precision(Precision::kFp16); }), HasSubstr("allowed: fp32"));
  EXPECT_THAT(refusal([&] { words.text("FILM"); }), HasSubstr("FILM is missing"));
  Arguments wrong("network", {"disk"});
  EXPECT_THAT(refusal([&] {
                wrong.choice("FEATURES", {"device", "host"});
              }),
              HasSubstr("FEATURES is 'disk'; allowed: device, host"));
}

// The program, as far as it goes without a GPU, with so little work that only its being able to do
// it is seen.

test::ProcessResult bench(const std::vector<std::string>& words) {
  std::vector<std::string> command{VSR_BENCH};
  command.insert(command.end(), words.begin(), words.end());
  return test::run_process(command);
}

std::string clip() { return (test::source_dir() / "tests/data/reds_demo_000.mkv").string(); }

TEST(VsrBench, SaysWhatItCanMeasure) {
  const auto help = bench({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("network CHECKPOINT"));
  EXPECT_THAT(help.output, HasSubstr("\n  ceilings\n"));
}

TEST(VsrBench, RefusesInOneLine) {
  const auto nothing = bench({"everything"});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_EQ(nothing.output, "vsr-bench: no subject 'everything'; see vsr-bench --help\n");
  EXPECT_EQ(bench({}).status, 2);
  EXPECT_EQ(bench({"encode", "many"}).status, 2);
  const auto nowhere = bench({"film", "/no/such/film.mkv", "128", "72", "1"});
  EXPECT_EQ(nowhere.status, 6);
  EXPECT_THAT(nowhere.output, HasSubstr("/no/such/film.mkv: cannot be created"));
  EXPECT_EQ(bench({"decode", "/no/such/film.mkv"}).status, 3);
  EXPECT_EQ(bench({"reference", "/no/such/model.pth"}).status, 4);
}

#ifdef VSR_WITH_CUDA
TEST(VsrBench, RefusesWordsOfTilesBeforeItNeedsAGpu) {
  const std::string model = (test::source_dir() / "models/mix_c32n3.pth").string();
  const auto tiles = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"tiles", model, "320", "180", "5", "200", "130"});
    const auto run = bench(words);
    EXPECT_EQ(run.status, 2) << run.output;
    return run.output;
  };
  EXPECT_EQ(tiles({"8,many"}),
            "vsr-bench: tiles: OVERLAPS is 'many'; it must be a whole number from 0 on; see "
            "vsr-bench --help\n");
  EXPECT_EQ(tiles({"8", "together"}),
            "vsr-bench: tiles: 'together' is neither compare nor alone\n");
  EXPECT_THAT(tiles({"8", "alone", "film.mkv", "9"}), HasSubstr("'9' is one word too many"));
  EXPECT_THAT(tiles({"8,150"}), HasSubstr("an overlap of 150 need tiles of 152x152 at least"));
  EXPECT_EQ(bench({"tiles"}).status, 2);
}
#endif

TEST(VsrBench, Encode) {
  const auto run = bench({"encode", "320", "180", "4", "prores", "1", "0,1"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("| threads | encoders | pictures/s |"));
}

TEST(VsrBench, Decode) {
  const auto run = bench({"decode", clip(), "5", "1"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("| cpu, 1 thread "));
}

TEST(VsrBench, Reference) {
  const std::string model = (test::source_dir() / "models/mix_c32n3.pth").string();
  const auto run = bench({"reference", model, "64", "64", "2"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("| x4 c32 n3 fp32 |"));
}

TEST(VsrBench, Frames) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "clip.rgb";
  const auto run = bench({"frames", file.string(), "64", "48", "50"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_EQ(std::filesystem::file_size(file), 50u * 64 * 48 * 3);
}

TEST(VsrBench, Pipeline) {
  const auto run = bench({"pipeline",
                          VSR_DIST,
                          "--input.file=" + clip(),
                          "--input.end=0.12",
                          "--preprocess.crop=64:64:0:0",
                          "--stream.device=cpu"});
  EXPECT_EQ(run.status, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("cpu fp32, 3 frames"));
  EXPECT_THAT(run.output, HasSubstr("| of the film, frames/s "));
}

TEST(VsrBench, PipelineTellsOfTheProgramsFailure) {
  const auto run = bench({"pipeline", VSR_DIST, "--input.file=/no/such/film.mkv"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.output, HasSubstr("ended with status 3; what it said is above"));
}

}  // namespace
}  // namespace vsr::bench
