// SegmentWriter on pictures of the shipped clip, enlarged, with grain: by threads and encoders.
#include "clip.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/media/segment_writer.hpp"

#include <chrono>
#include <cstdint>

namespace vsr::bench {

namespace {

using namespace media;

constexpr std::size_t kDifferent = 8;  // pictures kept in memory, given in turn

MezzanineCodec codec_named(const std::string& name) {
  if (name == "prores") return MezzanineCodec::kProres;
  if (name == "dnxhr") return MezzanineCodec::kDnxhr;
  if (name == "ffv1") return MezzanineCodec::kFfv1;
  if (name == "png") return MezzanineCodec::kPng;
  throw Error(ErrorCode::kUsage,
              format("encode: CODEC is '{}'; allowed: prores, dnxhr, ffv1, png", name));
}

struct Way {
  MezzanineCodec codec = MezzanineCodec::kProres;
  int count = 0;
  int threads = 0;
  int encoders = 0;
  bool copy = false;  // by write() in place of lend()
};

void time_one(Table& table, const std::vector<KeptPicture>& pictures, const Way& way) {
  const test::TemporaryFolder folder;
  const auto begin = std::chrono::steady_clock::now();
  const auto passed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  SegmentWriter writer(folder.path() / ("0000" + mezzanine_extension(way.codec)),
                       way.codec,
                       pictures.front().view.format,
                       {},
                       {25, 1},
                       {1, 1},
                       0,
                       way.threads,
                       way.encoders);
  double in_calls_s = 0;
  for (int i = 0; i < way.count; ++i) {
    const PictureView picture = pictures[static_cast<std::size_t>(i) % pictures.size()].view;
    const double before_s = passed_s();
    if (way.copy) {
      writer.write(picture);
    } else {
      writer.lend(picture, [] {});
    }
    in_calls_s += passed_s() - before_s;
  }
  const WrittenMezzanine made = writer.finish();
  const double all_s = passed_s();
  std::uint32_t same = 0;
  for (const std::uint32_t checksum : made.checksums) same = same * 31 + checksum;
  table.row({format("{}", way.threads),
             format("{}", way.encoders),
             format("{:.2f}", way.count / all_s),
             format("{:.2f}", static_cast<double>(made.bytes) / way.count / 1e6),
             format("{:.2f}", all_s),
             format("{:.2f}", in_calls_s),
             format("{:.2f}", made.busy_s),
             format("{:08x}", same)});
}

}  // namespace

void bench_encode(Arguments& words) {
  const int width = words.number("WIDTH", 4096);
  const int height = words.number("HEIGHT", 1728);
  Way way{.count = words.number("PICTURES", 48)};
  const std::string codec = words.text("CODEC", "prores");
  way.codec = codec_named(codec);
  const std::vector<int> threads = words.numbers("THREADS", {usable_cpus()});
  const std::vector<int> encoders = words.numbers("ENCODERS", {0}, 0);
  const std::string how = words.text("HOW", "lend");
  words.end();
  if (how != "lend" && how != "copy") {
    throw Error(ErrorCode::kUsage, format("encode: '{}' is neither lend nor copy", how));
  }
  way.copy = how == "copy";

  const PictureFormat picture = mezzanine_format(way.codec, width, height);
  const std::string filters =
      format("scale={}:{}:flags=lanczos,noise=c0s=4:c0f=t,format={}",
             width,
             height,
             picture.model == ColourModel::kRgb ? "gbrp16le" : "yuv422p10le");
  const auto pictures = film_pictures(shipped_clip(), filters, kDifferent);
  print_line(format("{}: {} pictures of {}, {}; {} processors",
                    codec,
                    way.count,
                    to_string(picture),
                    way.copy ? "copied" : "lent",
                    usable_cpus()));
  Table table({"threads",
               "encoders",
               "pictures/s",
               "MB a picture",
               "s",
               "s in calls",
               "s of encoding",
               "the same for the same bytes"});
  for (const int count : threads) {
    for (const int encoder : encoders) {
      way.threads = count;
      way.encoders = encoder;
      time_one(table, pictures, way);
    }
  }
  table.print();
}

}  // namespace vsr::bench
