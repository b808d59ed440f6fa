// Times decoding by the processor and by the GPU's decoder: pictures a second, through FrameReader.
//   decode_bench [FILM [PICTURES [THREADS [FILTERS]]]]
// Without FILM: 720x576 MPEG-2, 1920x1080 H.264, made on the spot.
#include "encoded_films.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/host.hpp"
#include "vsr/base/number.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace vsr::media {
namespace {

void time_one(const char* name,
              const Timeline& timeline,
              std::int64_t most,
              int threads,
              const DecodeDevice& device) {
  try {
    if (device.nvdec) check_nvdec(timeline, device);  // opens the GPU, which takes its time
    const auto begin = std::chrono::steady_clock::now();
    FrameReader reader(timeline, 0, threads, device);
    PictureView picture;
    std::optional<DevicePicture> on_device;
    std::int64_t pictures = 0;
    while (pictures < most && reader.read(picture, on_device)) ++pictures;
    const double passed_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("  %-28s %8.1f fps, %.2f s for %lld pictures\n",
                name,
                static_cast<double>(pictures) / passed_s,
                passed_s,
                static_cast<long long>(pictures));
  } catch (const Error& error) {
    std::printf("  %-28s %s\n", name, error.what());
  }
  std::fflush(stdout);
}

void time_film(const std::string& film,
               std::int64_t most,
               int threads,
               const std::string& filters) {
  TimelineOptions options;
  options.filters = filters;
  const SourceInfo source = probe(film);
  const TimelinePlan plan = plan_timeline(source, options);
  std::printf("%s: %s, %s%s\n",
              film.c_str(),
              source.video.codec.c_str(),
              to_string(plan.timeline.format).c_str(),
              plan.needs_mezzanine ? " (needs a lossless copy)" : "");
  time_one("cpu, 1 thread", plan.timeline, most, 1, {});
  const int all = threads > 0 ? threads : usable_cpus();
  time_one(("cpu, " + std::to_string(all) + " threads").c_str(), plan.timeline, most, all, {});
  time_one("nvdec, own context", plan.timeline, most, all, {.nvdec = true});
  if (gpu::device_count() == 0) return;
  void* context = gpu::driver_context(0);
  time_one(
      "nvdec, shared context", plan.timeline, most, all, {.nvdec = true, .cuda_context = context});
  time_one("nvdec, pictures stay there",
           plan.timeline,
           most,
           all,
           {.nvdec = true, .cuda_context = context, .stay_on_gpu = true});
}

void bench(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i, int otherwise) {
    return words.size() > i ? parse_number<int>(words[i]).value_or(otherwise) : otherwise;
  };
  const int most = number(1, 1'000'000);
  const std::string filters = words.size() > 3 ? words[3] : "";
  if (!words.empty()) {
    time_film(words[0], most, number(2, 0), filters);
    return;
  }
  const test::TemporaryFolder folder;
  const auto made = [&](const char* file, const test::EncodedFilm& film) {
    if (!test::have_encoder(film.encoder)) return;
    const auto path = folder.path() / file;
    test::encode_film(path, film);
    time_film(path.string(), most, 0, "");
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

}  // namespace
}  // namespace vsr::media

int main(int argc, char** argv) {
  try {
    vsr::media::bench({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decode_bench: %s\n", error.what());
    return 1;
  }
}
