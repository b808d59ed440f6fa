#include "vsr/media/segment_writer.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <thread>

namespace vsr::media {
namespace {

using ::testing::HasSubstr;

std::string codec_name(MezzanineCodec codec) {
  switch (codec) {
    case MezzanineCodec::kProres:
      return "prores";
    case MezzanineCodec::kDnxhr:
      return "dnxhr";
    case MezzanineCodec::kFfv1:
      return "ffv1";
    case MezzanineCodec::kPng:
      return "png";
    case MezzanineCodec::kNone:
      break;
  }
  return "";
}

// A picture that moves with `frame`: smooth in luma, with a hard edge, and tinted.
struct TestPicture {
  // As memory for a GPU's copies is, and more than encoders ask for.
  static constexpr std::size_t kAlignment = 64;

  static std::byte* aligned(std::byte* memory) {
    const auto over = reinterpret_cast<std::uintptr_t>(memory) % kAlignment;
    return memory + (kAlignment - over) % kAlignment;
  }

  std::vector<std::byte> memory;
  MutablePictureView view;

  TestPicture(const PictureFormat& format, std::int64_t frame, bool grain = false)
      : memory(packed_bytes(format) + kAlignment),
        view(packed_view(format, aligned(memory.data()))) {
    const int most = (1 << format.bit_depth) - 1;
    const int shift = static_cast<int>(frame);
    std::minstd_rand random(static_cast<unsigned>(frame) + 1);
    const auto noise = [&] {
      return grain ? static_cast<int>(random() % static_cast<unsigned>(most / 16)) : 0;
    };
    for (int plane = 0; plane < plane_count(format); ++plane) {
      const auto i = static_cast<std::size_t>(plane);
      for (int y = 0; y < plane_height(format, plane); ++y) {
        auto* row = reinterpret_cast<std::uint16_t*>(view.planes[i] + y * view.pitch_bytes[i]);
        for (int x = 0; x < plane_width(format, plane); ++x) {
          const int value = most / 4 + 3 * x + 2 * y + 5 * shift + 40 * plane +
                            ((x + shift) % 32 < 16 ? most / 8 : 0) + noise();
          row[x] = static_cast<std::uint16_t>(std::min(value, most));
        }
      }
    }
  }
};

ColourDescription bt709() { return {.matrix = Matrix::kBt709, .primaries = 1, .transfer = 1}; }

struct Wanted {
  MezzanineCodec codec = MezzanineCodec::kProres;
  int width = 320;
  int height = 180;
  int frames = 5;
  std::int64_t first_frame = 470;
  Rational rate{25, 1};
  Rational sample_aspect{1, 1};
  ColourDescription colour = bt709();
  bool grain = false;
  int threads = 2;
  int encoders = 0;
};

std::string checksums_of(const WrittenMezzanine& written) {
  std::string text;
  for (const std::uint32_t checksum : written.checksums) text += vsr::format(" {:08x}", checksum);
  return text;
}

std::filesystem::path path_in(const test::TemporaryFolder& folder, MezzanineCodec codec) {
  return folder.path() / ("0007" + (codec == MezzanineCodec::kPng ? std::string(".png")
                                                                  : mezzanine_extension(codec)));
}

WrittenMezzanine write_segment(const std::filesystem::path& path, const Wanted& wanted) {
  const PictureFormat format = mezzanine_format(wanted.codec, wanted.width, wanted.height);
  SegmentWriter writer(path,
                       wanted.codec,
                       format,
                       wanted.colour,
                       wanted.rate,
                       wanted.sample_aspect,
                       wanted.first_frame,
                       wanted.threads,
                       wanted.encoders);
  for (int i = 0; i < wanted.frames; ++i) {
    writer.write(TestPicture(format, i, wanted.grain).view);
  }
  return writer.finish();
}

// SHA-256 of a file, or of all files of a folder in the order of their names.
std::string content_hash(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::string all;
  for (const auto& file : files) all += file.filename().string() + read_file(file);
  return sha256_of(all);
}

double psnr(const PictureView& a, const PictureView& b) {
  double squares = 0;
  double samples = 0;
  for (int plane = 0; plane < plane_count(a.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    for (int y = 0; y < plane_height(a.format, plane); ++y) {
      const auto* x1 = reinterpret_cast<const std::uint16_t*>(a.planes[i] + y * a.pitch_bytes[i]);
      const auto* x2 = reinterpret_cast<const std::uint16_t*>(b.planes[i] + y * b.pitch_bytes[i]);
      for (int x = 0; x < plane_width(a.format, plane); ++x) {
        const double difference = static_cast<double>(x1[x]) - x2[x];
        squares += difference * difference;
        samples += 1;
      }
    }
  }
  const double most = (1 << a.format.bit_depth) - 1;
  return squares == 0 ? 999 : 10 * std::log10(most * most * samples / squares);
}

// What ffprobe prints for one stream entry, without the final newline.
std::string probe(const std::filesystem::path& path, const std::string& entries) {
  const auto result = test::run_process({"ffprobe",
                                         "-v",
                                         "error",
                                         "-select_streams",
                                         "v",
                                         "-show_entries",
                                         entries,
                                         "-of",
                                         "csv=p=0",
                                         path.string()});
  EXPECT_EQ(result.status, 0) << result.output;
  std::string text = result.output;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::erase(text, '_');  // empty places among the packet flags, two or three by version
  return text;
}

class SegmentWriterTest : public ::testing::TestWithParam<MezzanineCodec> {
 protected:
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = path_in(folder_, GetParam());
};

TEST_P(SegmentWriterTest, PicturesComeBack) {
  const Wanted wanted{.codec = GetParam(), .frames = 6};
  const WrittenMezzanine written = write_segment(path_, wanted);
  EXPECT_EQ(written.frames, 6);
  ASSERT_EQ(written.checksums.size(), 6u);
  EXPECT_GT(written.bytes, 1000u);
  EXPECT_FALSE(std::filesystem::exists(part_name(path_)));

  SegmentReader reader(path_, wanted.codec, 1, 4, written.checksums, 2);
  PictureView picture;
  for (int i = 1; i < 5; ++i) {
    ASSERT_TRUE(reader.read(picture));
    const TestPicture original(picture.format, i);
    ASSERT_EQ(picture.format, original.view.format);
    const double quality = psnr(picture, original.view);
    const bool lossless =
        wanted.codec == MezzanineCodec::kFfv1 || wanted.codec == MezzanineCodec::kPng;
    EXPECT_GT(quality, lossless ? 998 : 45) << "picture " << i;
    // The neighbour is another picture, so an error of one in the counting would show.
    EXPECT_LT(psnr(picture, TestPicture(picture.format, i + 1).view), 40);
  }
  EXPECT_FALSE(reader.read(picture));
  EXPECT_FALSE(reader.read(picture));
}

TEST_P(SegmentWriterTest, SameBytesForAnyNumberOfThreadsAndEncoders) {
  std::string hash;
  for (const int threads : {1, 2, 4, 7}) {
    for (const int encoders : {0, 1, 2, 3, 5}) {
      const WrittenMezzanine written = write_segment(path_,
                                                     {.codec = GetParam(),
                                                      .frames = 9,
                                                      .grain = true,
                                                      .threads = threads,
                                                      .encoders = encoders});
      const std::string again = content_hash(path_) + checksums_of(written);
      if (hash.empty()) hash = again;
      EXPECT_EQ(again, hash) << threads << " threads, " << encoders << " encoders";
    }
  }
}

TEST_P(SegmentWriterTest, LentPicturesGiveTheSameBytesAndComeBackOnce) {
  const WrittenMezzanine copied = write_segment(path_, {.codec = GetParam(), .frames = 20});
  const std::string hash = content_hash(path_);
  // A pitch and planes that encoders can use as they are, and some that they cannot.
  for (const int width : {320, 326}) {
    const PictureFormat format = mezzanine_format(GetParam(), width, 180);
    std::vector<std::atomic<int>> back(20);
    std::atomic<int> back_at_once = 0;
    SegmentWriter writer(path_, GetParam(), format, bt709(), {25, 1}, {1, 1}, 470, 3);
    const std::thread::id here = std::this_thread::get_id();
    for (std::size_t i = 0; i < back.size(); ++i) {
      // Written over and freed as soon as it is given back.
      auto picture = std::make_shared<TestPicture>(format, static_cast<std::int64_t>(i));
      const MutablePictureView view = picture->view;
      writer.lend(view, [picture, &back, &back_at_once, here, i] {
        std::fill(picture->memory.begin(), picture->memory.end(), std::byte{0});
        if (std::this_thread::get_id() == here) ++back_at_once;
        ++back[i];
      });
    }
    const WrittenMezzanine written = writer.finish();
    for (const auto& times : back) EXPECT_EQ(times, 1);
    EXPECT_EQ(back_at_once, width == 320 ? 0 : 20);  // as the copies are made by this thread
    if (width != 320) continue;
    EXPECT_EQ(written.checksums, copied.checksums);
    EXPECT_EQ(content_hash(path_), hash);
  }
}

// Encoders may read a little too far in memory of FFmpeg's own, which has room for that.
TEST_P(SegmentWriterTest, NothingIsReadBehindALentPicture) {
  for (const int height : {128, 124, 130}) {
    const PictureFormat format = mezzanine_format(GetParam(), 320, height);
    const std::size_t bytes = packed_bytes(format);
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t mapped = (bytes + page - 1) / page * page + page;
    void* memory =
        mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::byte* const end = static_cast<std::byte*>(memory) + mapped - page;
    ASSERT_EQ(mprotect(end, page, PROT_NONE), 0);
    const MutablePictureView view = packed_view(format, end - bytes);
    copy_picture(TestPicture(format, 1).view, view);
    SegmentWriter writer(path_, GetParam(), format, bt709(), {25, 1}, {1, 1}, 0, 1);
    std::thread::id given_back;
    writer.lend(view, [&] { given_back = std::this_thread::get_id(); });
    EXPECT_EQ(writer.finish().frames, 1);
    EXPECT_NE(given_back, std::this_thread::get_id());  // not a copy of it was read
    munmap(memory, mapped);
  }
}

TEST_P(SegmentWriterTest, LentPicturesComeBackWithoutFinishAndWhenRefused) {
  const PictureFormat format = mezzanine_format(GetParam(), 320, 180);
  const TestPicture picture(format, 0);
  const TestPicture other(mezzanine_format(GetParam(), 322, 180), 0);
  std::atomic<int> back = 0;
  {
    SegmentWriter writer(path_, GetParam(), format, bt709(), {25, 1}, {1, 1}, 0, 2);
    for (int i = 0; i < 5; ++i) writer.lend(picture.view, [&] { ++back; });
    EXPECT_THROW(writer.lend(other.view, [&] { ++back; }), Error);
  }
  EXPECT_EQ(back, 6);
}

// The limit on file sizes stands for a full disk: it strikes in whatever thread writes.
TEST_P(SegmentWriterTest, AFailedWriteReachesTheCallerOnceAndPicturesComeBack) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{.rlim_cur = 40'000, .rlim_max = before.rlim_max};
  std::atomic<int> back = 0;
  int lent = 0;
  std::optional<ErrorCode> code;
  std::string text;
  {
    const PictureFormat format = mezzanine_format(GetParam(), 320, 180);
    SegmentWriter writer(path_, GetParam(), format, bt709(), {25, 1}, {1, 1}, 0, 4);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
    try {
      for (; lent < 200;) {
        auto picture = std::make_shared<TestPicture>(format, lent, true);
        const MutablePictureView view = picture->view;
        ++lent;
        writer.lend(view, [picture, &back] { ++back; });
      }
      writer.finish();
    } catch (const Error& error) {
      code = error.code();
      text = error.what();
    }
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(code, ErrorCode::kStorage) << text;
  EXPECT_THAT(text, HasSubstr("0007"));
  EXPECT_LT(lent, 200);
  EXPECT_EQ(back, lent);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_P(SegmentWriterTest, DamagedPictureIsNamed) {
  const WrittenMezzanine written = write_segment(path_, {.codec = GetParam()});
  std::vector<std::uint32_t> checksums = written.checksums;
  checksums[3] ^= 1;
  SegmentReader reader(path_, GetParam(), 0, 5, checksums, 1);
  PictureView picture;
  try {
    while (reader.read(picture)) {
    }
    FAIL() << "the damage was not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("0007"));
    EXPECT_THAT(error.what(), HasSubstr("picture 3"));
  }
}

TEST_P(SegmentWriterTest, MissingPictureIsNamed) {
  write_segment(path_, {.codec = GetParam()});
  try {
    SegmentReader reader(path_, GetParam(), 3, 4, {}, 1);
    PictureView picture;
    while (reader.read(picture)) {
    }
    FAIL() << "the missing pictures were not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("picture 5"));
  }
}

TEST_P(SegmentWriterTest, ReplacesAnEarlierAttemptAndAnEarlierResult) {
  write_segment(path_, {.codec = GetParam(), .frames = 7, .first_frame = 0});
  {
    const PictureFormat format = mezzanine_format(GetParam(), 320, 180);
    SegmentWriter left(path_, GetParam(), format, bt709(), {25, 1}, {1, 1}, 0, 1);
    left.write(TestPicture(format, 0).view);
  }
  EXPECT_TRUE(std::filesystem::exists(part_name(path_)));
  const WrittenMezzanine written = write_segment(path_, {.codec = GetParam(), .frames = 2});
  SegmentReader reader(path_, GetParam(), 0, 2, written.checksums, 1);
  PictureView picture;
  EXPECT_TRUE(reader.read(picture));
  EXPECT_TRUE(reader.read(picture));
  EXPECT_FALSE(reader.read(picture));
  EXPECT_FALSE(std::filesystem::exists(part_name(path_)));
}

INSTANTIATE_TEST_SUITE_P(Codecs,
                         SegmentWriterTest,
                         ::testing::Values(MezzanineCodec::kProres,
                                           MezzanineCodec::kDnxhr,
                                           MezzanineCodec::kFfv1,
                                           MezzanineCodec::kPng),
                         [](const auto& test) { return codec_name(test.param); });

TEST(SegmentWriter, ChecksumsAreOfThePackets) {
  // An independent reader of the packets, and an independent CRC-32 of them.
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0001.mov";
  const WrittenMezzanine written = write_segment(path, {.frames = 3});
  const auto result = test::run_process({"ffmpeg",
                                         "-v",
                                         "error",
                                         "-i",
                                         path.string(),
                                         "-c",
                                         "copy",
                                         "-f",
                                         "image2",
                                         (folder.path() / "p%d.bin").string()});
  ASSERT_EQ(result.status, 0) << result.output;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string bytes = read_file(folder.path() / vsr::format("p{}.bin", i + 1));
    std::uint32_t crc = ~0u;
    for (const char c : bytes) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1u ? 0xedb88320u : 0u);
    }
    EXPECT_EQ(~crc, written.checksums[i]);
  }
}

// The picture's own tags are the few that ProRes has, the container's are the film's.
TEST(SegmentWriter, ProresTagsRateAndTimes) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  write_segment(path,
                {.frames = 3,
                 .first_frame = 470,
                 .rate = Rational(24000, 1001),
                 .sample_aspect = Rational(16, 15),
                 .colour = {.matrix = Matrix::kBt601, .primaries = 5, .transfer = 6}});
  EXPECT_EQ(probe(path,
                  "stream=codec_name,profile,codec_tag_string,width,height,sample_aspect_ratio,"
                  "pix_fmt,color_space,color_transfer,color_primaries,r_frame_rate"),
            "prores,HQ,apch,320,180,16:15,yuv422p10le,smpte170m,bt709,bt470bg,24000/1001");
  EXPECT_EQ(probe(path, "stream=time_base"), "1/24000");
  EXPECT_EQ(probe(path, "packet=pts,duration,flags"),
            "470470,1001,K\n471471,1001,K\n472472,1001,K");
  const std::string bytes = read_file(path);
  EXPECT_THAT(bytes, HasSubstr("apl0"));
  EXPECT_THAT(bytes, HasSubstr(std::string("colrnclc\0\5\0\6\0\5", 14)));
}

// A matrix that ProRes has no number for must not become the number of another.
TEST(SegmentWriter, ProresTagsNothingRatherThanSomethingElse) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  write_segment(
      path, {.frames = 1, .colour = {.matrix = Matrix::kSmpte240m, .primaries = 7, .transfer = 7}});
  EXPECT_EQ(probe(path, "frame=color_space,color_primaries,color_transfer"),
            "unknown,unknown,unknown");
  EXPECT_THAT(read_file(path), HasSubstr(std::string("colrnclc\0\7\0\7\0\7", 14)));
}

// QuickTime's colour tag has no place for the range, and ProRes is limited by definition. FFmpeg's
// decoder says so: 5.1 of the stream and its pictures, 7.1 of the pictures alone.
TEST(SegmentWriter, ProresIsOfLimitedRangeToOthersAndToUs) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  write_segment(path, {.frames = 2});
  EXPECT_EQ(probe(path, "frame=color_range"), "tv\ntv");
  // As a film of its own: known to be limited though the stream may not say it, and not a sample
  // is changed on the way.
  const SourceInfo source = media::probe(path);
  EXPECT_FALSE(source.video.colour.full_range);
  const Timeline timeline = plan_timeline(source, {}).timeline;
  EXPECT_FALSE(timeline.colour.full_range);
  FrameReader film(timeline, 0, 1);
  SegmentReader segment(path, MezzanineCodec::kProres, 0, 2, {}, 1);
  PictureView of_film;
  PictureView of_segment;
  while (segment.read(of_segment)) {
    ASSERT_TRUE(film.read(of_film));
    ASSERT_EQ(of_film.format, of_segment.format);
    EXPECT_GT(psnr(of_film, of_segment), 998);
  }
}

TEST(SegmentWriter, DnxhrProfileAndTags) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  write_segment(path, {.codec = MezzanineCodec::kDnxhr, .frames = 2});
  EXPECT_EQ(probe(path,
                  "stream=codec_name,profile,pix_fmt,color_range,color_space,color_transfer,"
                  "color_primaries"),
            "dnxhd,DNXHR HQX,yuv422p10le,tv,bt709,bt709,bt709");
  EXPECT_THAT(probe(path, "packet=pts,flags"), HasSubstr("470"));
}

TEST(SegmentWriter, Ffv1TagsAndSiting) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mkv";
  write_segment(path,
                {.codec = MezzanineCodec::kFfv1,
                 .frames = 3,
                 .first_frame = 25,
                 .colour = {.matrix = Matrix::kBt2020Ncl,
                            .full_range = true,
                            .siting = ChromaSiting::kTopLeft,
                            .primaries = 9,
                            .transfer = 16}});
  EXPECT_EQ(probe(path,
                  "stream=codec_name,pix_fmt,color_range,color_space,color_transfer,"
                  "color_primaries,chroma_location,r_frame_rate"),
            "ffv1,yuv422p10le,pc,bt2020nc,smpte2084,bt2020,topleft,25/1");
  EXPECT_EQ(probe(path, "packet=pts_time,flags"), "1.000000,K\n1.040000,K\n1.080000,K");
}

TEST(SegmentWriter, PngFilesAreNamedByTimelineFrame) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.png";
  write_segment(path, {.codec = MezzanineCodec::kPng, .frames = 2});
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_EQ(probe(path / "00000470.png", "stream=codec_name,pix_fmt,width,height"),
            "png,320,180,rgb48be");
  EXPECT_TRUE(std::filesystem::exists(path / "00000471.png"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path), {}), 2);
}

TEST(SegmentWriter, PngColoursAreInTheirPlaces) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0001.png";
  const PictureFormat format = mezzanine_format(MezzanineCodec::kPng, 4, 2);
  std::vector<std::byte> memory(packed_bytes(format));
  const MutablePictureView view = packed_view(format, memory.data());
  const std::array<std::uint16_t, 3> colour{65535, 32768, 257};
  for (std::size_t plane = 0; plane < 3; ++plane) {
    std::fill_n(reinterpret_cast<std::uint16_t*>(view.planes[plane]), 8, colour[plane]);
  }
  SegmentWriter writer(path, MezzanineCodec::kPng, format, bt709(), {25, 1}, {1, 1}, 0, 1);
  writer.write(view);
  writer.finish();
  const auto raw = folder.path() / "rgb.raw";
  const auto result = test::run_process({"ffmpeg",
                                         "-v",
                                         "error",
                                         "-i",
                                         (path / "00000000.png").string(),
                                         "-pix_fmt",
                                         "rgb48le",
                                         "-f",
                                         "rawvideo",
                                         raw.string()});
  ASSERT_EQ(result.status, 0) << result.output;
  EXPECT_EQ(read_file(raw).substr(0, 6), std::string("\xff\xff\x00\x80\x01\x01", 6));
}

TEST(SegmentWriter, TruncatedFileIsAStorageError) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "0007.mov";
  const WrittenMezzanine written = write_segment(path, {});
  std::filesystem::resize_file(path, written.bytes / 2);
  try {
    SegmentReader reader(path, MezzanineCodec::kProres, 0, 5, written.checksums, 1);
    PictureView picture;
    while (reader.read(picture)) {
    }
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("0007.mov"));
  }
}

TEST(CheckMezzanine, SizesNoCodecHolds) {
  const auto refused = [](MezzanineCodec codec, int width, int height) -> std::string {
    try {
      check_mezzanine(codec, mezzanine_format(codec, width, height));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused(MezzanineCodec::kDnxhr, 254, 120), HasSubstr("256x120"));
  EXPECT_THAT(refused(MezzanineCodec::kDnxhr, 257, 120), HasSubstr("even"));
  EXPECT_THAT(refused(MezzanineCodec::kProres, 321, 180), HasSubstr("segment.codec=prores"));
  EXPECT_THAT(refused(MezzanineCodec::kFfv1, 1, 180), HasSubstr("1x180"));
  EXPECT_THAT(refused(MezzanineCodec::kPng, 20000, 180), HasSubstr("16384"));
  EXPECT_EQ(refused(MezzanineCodec::kDnxhr, 256, 120), "");
  EXPECT_EQ(refused(MezzanineCodec::kProres, 2, 2), "");
  EXPECT_EQ(refused(MezzanineCodec::kPng, 321, 181), "");
}

TEST(SegmentWriter, OddAndTinySizes) {
  const test::TemporaryFolder folder;

  struct Case {
    MezzanineCodec codec;
    int width;
    int height;
  };

  for (const Case& c : {Case{MezzanineCodec::kFfv1, 321, 181},
                        Case{MezzanineCodec::kFfv1, 3, 3},
                        Case{MezzanineCodec::kPng, 33, 7},
                        Case{MezzanineCodec::kProres, 34, 19},
                        Case{MezzanineCodec::kProres, 2, 2}}) {
    const auto path = folder.path() / vsr::format("{}-{}", codec_name(c.codec), c.width);
    const WrittenMezzanine written =
        write_segment(path, {.codec = c.codec, .width = c.width, .height = c.height, .frames = 2});
    SegmentReader reader(path, c.codec, 1, 1, written.checksums, 1);
    PictureView picture;
    ASSERT_TRUE(reader.read(picture)) << path;
    EXPECT_EQ(picture.format.width, c.width);
    EXPECT_EQ(picture.format.height, c.height);
    EXPECT_FALSE(reader.read(picture));
  }
}

TEST(SegmentWriter, AnotherPictureFormatIsRefused) {
  const test::TemporaryFolder folder;
  const PictureFormat format = mezzanine_format(MezzanineCodec::kProres, 64, 48);
  SegmentWriter writer(
      folder.path() / "a.mov", MezzanineCodec::kProres, format, bt709(), {25, 1}, {1, 1}, 0, 1);
  PictureFormat other = format;
  other.width = 66;
  EXPECT_THROW(writer.write(TestPicture(other, 0).view), Error);
}

}  // namespace
}  // namespace vsr::media
