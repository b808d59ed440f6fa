// Times SegmentWriter on pictures of the shipped clip, enlarged, with grain: pictures a second by
// codec, threads and encoders.
//   segment_writer_bench [WIDTH HEIGHT [PICTURES [CODEC [THREADS[,..] [ENCODERS[,..] [copy]]]]]]
// ENCODERS 0: what SegmentWriter takes by itself. copy: by write() instead of lend().
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/number.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace vsr::media {
namespace {

constexpr int kDifferent = 8;  // pictures kept in memory, given in turn

struct Settings {
  int width = 4096;
  int height = 1728;
  int pictures = 48;
  MezzanineCodec codec = MezzanineCodec::kProres;
  std::vector<int> threads{0};
  std::vector<int> encoders{0};
  bool copy = false;
};

struct Picture {
  // Rows and planes as in the pipeline's pinned ring, and as far aligned.
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  std::unique_ptr<std::byte, Free> memory;
  MutablePictureView view;
};

std::vector<Picture> enlarged_clip(const PictureFormat& format) {
  TimelineOptions options;
  options.filters = vsr::format("scale={}:{}:flags=lanczos,noise=c0s=4:c0f=t,format={}",
                                format.width,
                                format.height,
                                format.model == ColourModel::kRgb ? "gbrp16le" : "yuv422p10le");
  const auto source = probe(test::source_dir() / "tests/data/reds_demo_000.mkv");
  const Timeline timeline = plan_timeline(source, options).timeline;
  FrameReader reader(timeline, 0);
  std::vector<Picture> pictures;
  PictureView picture;
  while (pictures.size() < kDifferent && reader.read(picture)) {
    constexpr std::size_t kPage = 4096;
    const std::size_t bytes = (packed_bytes(format) + kPage - 1) / kPage * kPage;
    Picture kept;
    kept.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes)));
    kept.view = packed_view(format, kept.memory.get());
    copy_picture(picture, kept.view);
    pictures.push_back(std::move(kept));
  }
  return pictures;
}

void time_one(const Settings& settings,
              const std::vector<Picture>& pictures,
              int threads,
              int encoders) {
  const test::TemporaryFolder folder;
  const PictureFormat& format = pictures.front().view.format;
  const auto begin = std::chrono::steady_clock::now();
  const auto passed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  SegmentWriter writer(folder.path() / ("0000" + mezzanine_extension(settings.codec)),
                       settings.codec,
                       format,
                       {},
                       {25, 1},
                       {1, 1},
                       0,
                       threads,
                       encoders);
  double in_calls_s = 0;
  for (int i = 0; i < settings.pictures; ++i) {
    const PictureView picture = pictures[static_cast<std::size_t>(i) % pictures.size()].view;
    const double before_s = passed_s();
    if (settings.copy) {
      writer.write(picture);
    } else {
      writer.lend(picture, [] {});
    }
    in_calls_s += passed_s() - before_s;
  }
  const WrittenMezzanine made = writer.finish();
  const double all_s = passed_s();
  std::uint32_t all = 0;  // the same for the same bytes
  for (const std::uint32_t checksum : made.checksums) all = all * 31 + checksum;
  std::printf(
      "threads %3d, encoders %3d: %6.2f fps, %5.2f MB a picture (%08x), %.2f s in all "
      "(%.2f in calls, %.2f encoding)\n",
      threads,
      encoders,
      settings.pictures / all_s,
      static_cast<double>(made.bytes) / settings.pictures / 1e6,
      static_cast<unsigned>(all),
      all_s,
      in_calls_s,
      made.busy_s);
  std::fflush(stdout);
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> all;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    all.push_back(parse_number<int>(word).value_or(0));
  }
  return all;
}

MezzanineCodec codec_named(const std::string& name) {
  if (name == "dnxhr") return MezzanineCodec::kDnxhr;
  if (name == "ffv1") return MezzanineCodec::kFfv1;
  if (name == "png") return MezzanineCodec::kPng;
  return MezzanineCodec::kProres;
}

void bench(const std::vector<std::string>& words) {
  Settings settings;
  const auto word = [&](std::size_t i, const char* otherwise) {
    return words.size() > i ? words[i] : std::string(otherwise);
  };
  settings.width = numbers(word(0, "4096")).front();
  settings.height = numbers(word(1, "1728")).front();
  settings.pictures = numbers(word(2, "48")).front();
  settings.codec = codec_named(word(3, "prores"));
  settings.threads = numbers(word(4, "0"));
  settings.encoders = numbers(word(5, "0"));
  settings.copy = word(6, "") == "copy";
  const PictureFormat format = mezzanine_format(settings.codec, settings.width, settings.height);
  const std::vector<Picture> pictures = enlarged_clip(format);
  std::printf("%s, %d pictures of %s by %s, %d processors\n",
              word(3, "prores").c_str(),
              settings.pictures,
              to_string(format).c_str(),
              settings.copy ? "write()" : "lend()",
              usable_cpus());
  for (const int threads : settings.threads) {
    for (const int encoders : settings.encoders) time_one(settings, pictures, threads, encoders);
  }
}

}  // namespace
}  // namespace vsr::media

int main(int argc, char** argv) {
  try {
    vsr::media::bench({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "segment_writer_bench: %s\n", error.what());
    return 1;
  }
}
