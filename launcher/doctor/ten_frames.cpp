// Ten frames from source to film. The picture is a formula, so that every pixel of the film has a
// known value: light that grows from frame to frame, and a wave that travels. Frames that are
// missing, out of order or taken twice, a wrong matrix or a broken kernel all show as a low PSNR.
#include "doctor/checks.hpp"
#include "film_job.hpp"
#include "planning.hpp"
#include "vsr/base/format.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/job/job_file.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <string>
#include <vector>

namespace vsr::launcher::doctor {

namespace fs = std::filesystem;

namespace {

constexpr int kFrames = 10;
constexpr int kSize = 64;  // pixels, both ways
constexpr int kScale = 4;  // of the model inside the program
// One frame out of its place leaves 33 dB of ten; network and codecs are known to leave 55.
constexpr double kLeastPsnr_db = 40;

// Luma of 8 bits at a place in source pixels.
double luma(int frame, double x, double y) {
  const double turn = 2 * std::numbers::pi;
  return 70 + 8 * frame + 40 * std::sin(turn * (x + 3 * frame) / 24) * std::cos(turn * y / 32);
}

void write_source(const fs::path& path) {
  constexpr auto kCodec = media::MezzanineCodec::kFfv1;
  const PictureFormat format = media::mezzanine_format(kCodec, kSize, kSize);  // 10 bits
  const ColourDescription colour{.primaries = 1, .transfer = 1};
  media::SegmentWriter writer(path, kCodec, format, colour, Rational(25, 1), Rational(1, 1), 0, 1);
  constexpr std::uint16_t kNoColour = 512;
  std::vector<std::uint16_t> samples(packed_bytes(format) / sizeof(std::uint16_t), kNoColour);
  for (int frame = 0; frame < kFrames; ++frame) {
    auto sample = samples.begin();  // luma comes first
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize; ++x) {
        *sample++ = static_cast<std::uint16_t>(std::lround(4 * luma(frame, x, y)));
      }
    }
    writer.write(packed_view(format, reinterpret_cast<std::byte*>(samples.data())));
  }
  writer.finish();
}

// In 8 bits; every film that is made has 10.
double sample_at(const PictureView& picture, std::ptrdiff_t x, std::ptrdiff_t y) {
  std::uint16_t value = 0;
  const std::byte* row = picture.planes[0] + y * picture.pitch_bytes[0];
  std::memcpy(&value, row + 2 * x, sizeof(value));
  return value / 4.0;
}

// Frames of the film; its luma against the known one, in dB.
struct Film {
  int frames = 0;
  PictureFormat format;
  double psnr_db = 0;
};

Film look_at_film(const fs::path& path) {
  const media::Timeline timeline = media::plan_timeline(media::probe(path), {}).timeline;
  Film film{.format = timeline.format};
  if (film.format.bit_depth != 10) return film;
  media::FrameReader reader(timeline, 0, 1);
  double squares = 0;
  double samples = 0;
  for (PictureView picture; reader.read(picture); ++film.frames) {
    for (int y = 0; y < picture.format.height; ++y) {
      for (int x = 0; x < picture.format.width; ++x, ++samples) {
        const double known = luma(film.frames, (x + 0.5) / kScale - 0.5, (y + 0.5) / kScale - 0.5);
        squares += std::pow(sample_at(picture, x, y) - known, 2);
      }
    }
  }
  film.psnr_db = 10 * std::log10(255.0 * 255.0 * samples / squares);
  return film;
}

// The job's ways with a film of ours.
Arguments small_job(const Job& job, bool own_encoder, const fs::path& source, const fs::path& run) {
  Arguments arguments;
  for (const auto& [key, value] : job_values(job)) {
    if (key.starts_with("final.") || key.starts_with("model.") || key == "stream.device" ||
        key == "segment.codec") {
      arguments.values.emplace_back(key, value);
    }
  }
  KeyValues own = {{"input.file", source.string()},
                   {"run.dir", run.string()},
                   {"model.checkpoint", "embedded"},
                   {"stream.overlap", "2"},
                   {"segment.frames", "5"},
                   {"final.height", "native"},
                   {"final.fps", "24"},
                   {"final.crf", "16"},
                   {"final.variants", "pitchOK"}};
  if (!own_encoder) own.insert(own.end(), {{"segment.codec", "prores"}, {"final.encoder", "copy"}});
  arguments.values.insert(arguments.values.end(), own.begin(), own.end());
  return arguments;
}

}  // namespace

Check check_ten_frames(const Job& job,
                       bool own_encoder,
                       const fs::path& folder,
                       const Place& place,
                       Signals& signals,
                       const log::Settings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  const fs::path source = folder / "ten-frames.mkv";
  write_source(source);
  Arguments arguments = small_job(job, own_encoder, source, folder / "run");
  arguments.log_level = settings.terminal;
  arguments.log_json = settings.json;
  const auto alone = cluster::make_solo_communicator(place.local_rank, place.local_size);
  try {
    run_film(arguments, *alone, signals);
  } catch (...) {
    log::configure(settings);  // the log file there goes away
    throw;
  }
  log::configure(settings);
  const Film film = look_at_film(folder / "run" / "final" / "film_pitchOK.mkv");
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const bool right = film.frames == kFrames && film.format.width == kSize * kScale &&
                     film.format.height == kSize * kScale && film.psnr_db >= kLeastPsnr_db;
  return unless(right,
                failure("ten frames",
                        ErrorCode::kModel,
                        format("{} of {} frames, {}, {}, {:.1f} dB of the known picture, {:.1f} s",
                               film.frames,
                               kFrames,
                               to_string(film.format),
                               own_encoder ? job.final.encoder : std::string("prores"),
                               film.psnr_db,
                               seconds),
                        "do not trust films made here; 'vsr-dist selftest' tells more"));
}

}  // namespace vsr::launcher::doctor
