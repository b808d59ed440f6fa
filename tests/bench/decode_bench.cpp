// Decoding through FrameReader: by the processor, and by the GPU's own decoder.
#include "../media/encoded_films.hpp"
#include "subjects.hpp"
#include "table.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/host.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <chrono>
#include <optional>

namespace vsr::bench {

namespace {

using namespace media;

void time_one(Table& table,
              const std::string& name,
              const Timeline& timeline,
              std::int64_t most,
              int threads,
              const DecodeDevice& device) {
  try {
    if (device.nvdec) check_nvdec(timeline, device);  // opens the GPU, which takes its time
    const auto begin = std::chrono::steady_clock::now();
    const test::ProcessorTime before = test::processor_time();
    FrameReader reader(timeline, 0, threads, device);
    PictureView picture;
    std::optional<DevicePicture> on_device;
    std::int64_t pictures = 0;
    while (pictures < most && reader.read(picture, on_device)) ++pictures;
    const double passed_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const test::ProcessorTime used = test::processor_time() - before;
    const auto count = static_cast<double>(pictures);
    table.row({name,
               format("{}", pictures),
               format("{:.2f}", passed_s),
               format("{:.1f}", count / passed_s),
               format("{:.2f}", 1e3 * (used.user_s + used.system_s) / count)});
  } catch (const Error& error) {
    table.row({name, "", "", "", ""});
    print_line(format("{}: {}", name, error.what()));
  }
}

void time_film(const std::string& film,
               std::int64_t most,
               int threads,
               const std::string& filters) {
  const SourceInfo source = probe(film);
  const TimelinePlan plan = plan_timeline(source, {.filters = filters});
  print_line(format("{}: {}, {}{}",
                    film,
                    source.video.codec,
                    to_string(plan.timeline.format),
                    plan.needs_mezzanine ? " (needs a lossless copy)" : ""));
  Table table({"decoded by", "pictures", "s", "pictures/s", "processor, ms a picture"});
  time_one(table, "cpu, 1 thread", plan.timeline, most, 1, {});
  if (threads > 1) {
    time_one(table, format("cpu, {} threads", threads), plan.timeline, most, threads, {});
  }
  time_one(table, "nvdec, own context", plan.timeline, most, threads, {.nvdec = true});
  if (gpu::device_count() > 0) {
    DecodeDevice device{.nvdec = true, .cuda_context = gpu::driver_context(0)};
    time_one(table, "nvdec, shared context", plan.timeline, most, threads, device);
    device.stay_on_gpu = true;
    time_one(table, "nvdec, pictures stay there", plan.timeline, most, threads, device);
  }
  table.print();
}

}  // namespace

void bench_decode(Arguments& words) {
  const std::string film = words.text("FILM", "");
  const int most = words.number("PICTURES", 1'000'000);
  const int threads = words.number("THREADS", usable_cpus());
  const std::string filters = words.text("FILTERS", "");
  words.end();
  if (!film.empty()) return time_film(film, most, threads, filters);
  const test::TemporaryFolder folder;
  const auto made = [&](const char* file, const test::EncodedFilm& how) {
    if (!test::have_encoder(how.encoder)) return;
    const auto path = folder.path() / file;
    test::encode_film(path, how);
    time_film(path.string(), most, threads, "");
  };
  made("pal.mkv",
       {.encoder = "mpeg2video",
        .options = {{"b", "6000000"}, {"g", "12"}, {"bf", "2"}},
        .interlaced = true,
        .frames = 750,
        .width = 720,
        .height = 576,
        .scale = 4});
  made("hd.mkv",
       {.encoder = "libx264",
        .options = {{"preset", "veryfast"}, {"crf", "18"}, {"g", "48"}},
        .frames = 250,
        .width = 1920,
        .height = 1080,
        .scale = 7});
}

void make_film(Arguments& words) {
  const std::string path = words.text("FILE");
  test::EncodedFilm film{.encoder = "libx264"};
  film.width = words.number("WIDTH", 1024);
  film.height = words.number("HEIGHT", 432);
  film.frames = words.number("FRAMES", 640);
  const std::string encoder = words.text("ENCODER", film.encoder);
  words.end();
  film.encoder = encoder.c_str();
  film.scale = 4;
  if (encoder == "libx264") film.options = {{"preset", "veryfast"}, {"crf", "18"}, {"g", "48"}};
  if (film.width > 320 * film.scale || film.height > 180 * film.scale) {
    throw Error(ErrorCode::kUsage, "film: at most 1280x720");
  }
  if (!test::have_encoder(encoder)) {
    throw Error(ErrorCode::kUsage, format("film: FFmpeg has no encoder '{}' here", encoder));
  }
  test::encode_film(path, film);
}

}  // namespace vsr::bench
