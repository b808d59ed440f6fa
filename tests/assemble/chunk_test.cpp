// Segments that are encoded for the film at once, and the film joined from them.
#include "film_fixture.hpp"
#include "vsr/assemble/chunk_writer.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace vsr::assemble {
namespace {

using test::make_segments;
using test::make_source;
using ::testing::HasSubstr;

void never() {}

class Chunks : public ::testing::Test {
 protected:
  // Lossless mezzanines of the same pictures, to encode from in either way. Not smaller: x265 (3.5)
  // makes other bytes of the same 96x64 pictures from one time to the next.
  AssembleSpec mezzanines(std::int64_t frames, std::int64_t core) {
    AssembleSpec spec = make_segments(folder_.path(),
                                      {.codec = media::MezzanineCodec::kFfv1,
                                       .width = 192,
                                       .height = 128,
                                       .frames = frames,
                                       .core = core});
    spec.source = make_source(folder_.path() / "film.mkv", 1, "", {});
    spec.options.variants = {AudioVariant::kPitchOk};
    spec.options.preset = "fast";
    return spec;
  }

  static void write_core(ChunkWriter& writer, const AssembleSpec& spec, const SegmentFile& from) {
    media::SegmentReader reader(from.path,
                                spec.codec,
                                from.core.begin - from.input.begin,
                                from.core.size(),
                                from.checksums,
                                1);
    PictureView picture;
    while (reader.read(picture)) writer.write(picture, [] {});
  }

  // The same film from chunks.
  AssembleSpec chunks_of(const AssembleSpec& mezzanines) {
    AssembleSpec spec = mezzanines;
    spec.codec = media::MezzanineCodec::kNone;
    spec.name = "chunked";
    for (SegmentFile& segment : spec.segments) {
      const auto path = folder_.path() / format("{}.nut", segment.core.begin);
      ChunkWriter writer(path, spec, segment.core.size());
      write_core(writer, mezzanines, segment);
      const media::WrittenMezzanine made = writer.finish(never);
      EXPECT_EQ(made.frames, segment.core.size());
      EXPECT_EQ(made.bytes, std::filesystem::file_size(path));
      segment = {path, segment.core, segment.core, made.checksums};
    }
    return spec;
  }

  static std::filesystem::path film_of(const AssembleSpec& spec) {
    return test::assemble_all(spec).files.at(0);
  }

  // Packets of the film that begin a chunk, and all others that can be entered at.
  static std::vector<std::string> key_times(const std::filesystem::path& film) {
    std::vector<std::string> times;
    for (const std::string& line : test::probe(film, "v", "packet=pts_time,flags")) {
      if (line.find('K') != std::string::npos) times.push_back(line.substr(0, line.find(',')));
    }
    return times;
  }

  // Of the film's luma against the mezzanines'.
  double psnr_db(const std::filesystem::path& film, const AssembleSpec& mezzanines) {
    const auto master = folder_.path() / "master.mkv";
    concatenate(mezzanines, master, {});
    const auto result =
        test::run_process({"ffmpeg",
                           "-nostdin",
                           "-i",
                           film.string(),
                           "-i",
                           master.string(),
                           "-lavfi",
                           "[0:v]setpts=N[a];[1:v]format=yuv420p10le,setpts=N[b];[a][b]psnr",
                           "-f",
                           "null",
                           "-"});
    const std::string word = "PSNR y:";
    const auto at = result.output.find(word);
    return at == std::string::npos ? 0 : std::stod(result.output.substr(at + word.size()));
  }

  test::TemporaryFolder folder_;
};

TEST_F(Chunks, OneChunkIsWhatTheFilmWouldBe) {
  const AssembleSpec whole = mezzanines(30, 30);
  const auto expected = film_of(whole);
  const auto film = film_of(chunks_of(whole));
  EXPECT_EQ(test::video_hash(film), test::video_hash(expected));
  EXPECT_EQ(test::packet_times(film, "v"), test::packet_times(expected, "v"));
}

TEST_F(Chunks, JoinToAFilmWithoutASeam) {
  const AssembleSpec parts = mezzanines(97, 32);  // the last is of one picture
  const auto expected = film_of(parts);
  const auto film = film_of(chunks_of(parts));
  test::expect_decodes(film);
  std::vector<double> times = test::packet_times(film, "v");
  std::sort(times.begin(), times.end());
  ASSERT_EQ(times.size(), 97u);
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_NEAR(times[i], static_cast<double>(i) * test::kFrame24, 0.0011) << i;
  }
  EXPECT_THAT(key_times(film),
              ::testing::IsSupersetOf({"0.000000", "1.333000", "2.667000", "4.000000"}));
  EXPECT_EQ(test::probe_one(film, "v", "stream_tags=ENCODER_SETTINGS"),
            test::probe_one(expected, "v", "stream_tags=ENCODER_SETTINGS"));
  // Every picture is the one that the central encode has in its place, as good as there.
  const double psnr = psnr_db(film, parts);
  EXPECT_NEAR(psnr, psnr_db(expected, parts), 0.5);
  EXPECT_GT(psnr, 35);
}

// Chunks of a film in AV1, with threads as one of several encoders has them.
TEST_F(Chunks, OfAv1JoinToAFilmThatCanBeEnteredAtEachOfThem) {
  AssembleSpec parts = mezzanines(97, 32);  // the last is of one picture
  parts.options.encoder = "libsvtav1";
  parts.options.preset = "8";
  parts.options.tune = parts.options.params = "auto";
  parts.threads = 2;
  parts.one_of_many = true;
  try {
    validate(parts);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const auto film = film_of(chunks_of(parts));
  test::expect_decodes(film);
  const std::vector<double> times = test::packet_times(film, "v");  // AV1 packets are in this order
  ASSERT_EQ(times.size(), 97u);
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_NEAR(times[i], static_cast<double>(i) * test::kFrame24, 0.0006) << i;
  }
  EXPECT_EQ(key_times(film),
            (std::vector<std::string>{"0.000000", "1.333000", "2.667000", "4.000000"}));
  EXPECT_GT(psnr_db(film, parts), 35);
  // From each chunk on a player gets what it gets when it plays the whole.
  const auto pictures_from = [&](const std::string& time) {
    const auto run = test::run_process({"ffmpeg",
                                        "-nostdin",
                                        "-v",
                                        "error",
                                        "-ss",
                                        time,
                                        "-i",
                                        film.string(),
                                        "-map",
                                        "0:v",
                                        "-f",
                                        "framemd5",
                                        "-"});
    std::vector<std::string> hashes;
    std::istringstream lines(run.output);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_NE(line.find_first_of("#0"), std::string::npos) << line;  // nothing else is said
      if (line[0] != '#') hashes.push_back(line.substr(line.rfind(',') + 1));
    }
    return hashes;
  };
  const auto all = pictures_from("0");
  ASSERT_EQ(all.size(), 97u);
  for (const std::size_t chunk : {1u, 2u, 3u}) {
    const auto at = static_cast<std::ptrdiff_t>(32 * chunk);
    EXPECT_EQ(pictures_from(format("{:.3f}", 32.0 * static_cast<double>(chunk) / 24)),
              std::vector<std::string>(all.begin() + at, all.end()))
        << chunk;
  }
}

TEST_F(Chunks, ADamagedOneIsNamed) {
  const AssembleSpec spec = chunks_of(mezzanines(40, 20));
  const auto& path = spec.segments[1].path;
  std::string bytes = read_file(path, 1 << 20);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_file(path, bytes);
  EXPECT_FALSE(media::find_damage(spec.segments[0].path, spec.codec, spec.segments[0].checksums));
  EXPECT_TRUE(media::find_damage(path, spec.codec, spec.segments[1].checksums));
  try {
    film_of(spec);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("20.nut"));
  }
}

TEST_F(Chunks, ADamagedTimeIsFoundThoughNoPacketIs) {
  const AssembleSpec spec = chunks_of(mezzanines(20, 20));
  const SegmentFile& chunk = spec.segments[0];
  const auto shifted = folder_.path() / "shifted.nut";
  const auto shift = [&](const std::string& pts) {
    return test::run_process({"ffmpeg",
                              "-nostdin",
                              "-y",
                              "-i",
                              chunk.path.string(),
                              "-c",
                              "copy",
                              "-bsf:v",
                              "setts=pts=" + pts,
                              shifted.string()});
  };
  ASSERT_EQ(shift("PTS").status, 0);
  EXPECT_FALSE(media::find_damage(shifted, spec.codec, chunk.checksums));
  const auto run = shift("if(eq(N\\,3)\\,PTS+2/24/TB\\,PTS)");
  ASSERT_EQ(run.status, 0) << run.output;
  const auto damage = media::find_damage(shifted, spec.codec, chunk.checksums);
  ASSERT_TRUE(damage);
  EXPECT_THAT(*damage, HasSubstr("no packet has its time"));
}

// One segment of a film, as encode_chunk() takes it.
AssembleSpec only(const AssembleSpec& film, std::size_t segment) {
  AssembleSpec spec = film;
  spec.segments = {film.segments.at(segment)};
  spec.one_of_many = true;
  spec.threads = 2;
  return spec;
}

TEST_F(Chunks, OfMezzaninesAreThoseOfTheirPictures) {
  const AssembleSpec film = mezzanines(60, 20);
  const AssembleSpec spec = only(film, 1);
  const auto path = folder_.path() / "of-mezzanine.nut";
  const media::WrittenMezzanine made = encode_chunk(path, spec, [](auto) { return true; });
  EXPECT_EQ(made.frames, 20);
  EXPECT_EQ(made.bytes, std::filesystem::file_size(path));
  AssembleSpec direct = spec;
  direct.codec = media::MezzanineCodec::kNone;
  ChunkWriter writer(folder_.path() / "direct.nut", direct, 20);
  write_core(writer, film, film.segments[1]);
  EXPECT_EQ(made.checksums, writer.finish(never).checksums);
}

TEST_F(Chunks, OfOneOfManyEncodersDoNotDependOnItsThreads) {
  AssembleSpec spec = only(mezzanines(40, 40), 0);
  std::vector<std::vector<std::uint32_t>> checksums;
  for (const int threads : {1, 2, 5}) {
    spec.threads = threads;
    checksums.push_back(
        encode_chunk(folder_.path() / "a.nut", spec, [](auto) { return true; }).checksums);
  }
  EXPECT_EQ(checksums[0], checksums[1]);
  EXPECT_EQ(checksums[0], checksums[2]);
}

TEST_F(Chunks, OfMezzaninesAreGivenUpAtOnce) {
  AssembleSpec spec = only(mezzanines(200, 200), 0);
  spec.options.preset = "veryslow";
  const auto path = folder_.path() / "part.nut";
  const auto begin = std::chrono::steady_clock::now();
  try {
    encode_chunk(path, spec, [](auto) { return false; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(part_name(path)));
}

TEST_F(Chunks, OfADamagedMezzanineAreAStorageError) {
  AssembleSpec spec = only(mezzanines(20, 20), 0);
  spec.segments[0].checksums[7] ^= 1;
  try {
    encode_chunk(folder_.path() / "a.nut", spec, [](auto) { return true; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage) << error.what();
  }
}

TEST_F(Chunks, OfOtherSettingsDoNotJoin) {
  const AssembleSpec lossless = mezzanines(40, 20);
  AssembleSpec spec = chunks_of(lossless);
  AssembleSpec other = spec;
  other.options.params = "ctu=32";
  ChunkWriter writer(spec.segments[1].path, other, 20);
  write_core(writer, lossless, lossless.segments[1]);
  spec.segments[1].checksums = writer.finish(never).checksums;
  try {
    film_of(spec);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("differs"));
  }
}

TEST_F(Chunks, GivenUpInMidFilmLeavesNothingAndDoesNotWait) {
  const AssembleSpec lossless = mezzanines(40, 40);
  AssembleSpec spec = lossless;
  spec.options.preset = "veryslow";
  const auto path = folder_.path() / "part.nut";
  const auto begin = std::chrono::steady_clock::now();
  {
    ChunkWriter writer(path, spec, 4000);
    write_core(writer, lossless, lossless.segments[0]);
  }
  {
    ChunkWriter writer(path, spec, 40);
    write_core(writer, lossless, lossless.segments[0]);
    const auto stop = [] { throw Error(ErrorCode::kInterrupted, "stopped"); };
    EXPECT_THROW(writer.finish(stop), Error);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(part_name(path)));
}

TEST_F(Chunks, OfFewerPicturesThanWereSaidIsAnError) {
  const AssembleSpec lossless = mezzanines(20, 20);
  ChunkWriter writer(folder_.path() / "a.nut", lossless, 30);
  write_core(writer, lossless, lossless.segments[0]);
  EXPECT_THROW(writer.finish(never), Error);
}

}  // namespace
}  // namespace vsr::assemble
