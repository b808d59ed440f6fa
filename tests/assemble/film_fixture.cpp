#include "film_fixture.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

namespace vsr::test {

namespace {

constexpr int kClipFrames = 21;
constexpr int kRate = 48000;

// The clip's frames at a size, packed one after the other.
std::string clip_pictures(const std::filesystem::path& folder, const PictureFormat& format) {
  const auto raw = folder / "pictures.raw";
  const bool rgb = format.model == ColourModel::kRgb;
  ffmpeg(
      {"-i",
       (source_dir() / "tests/data/reds_demo_000.mkv").string(),
       "-frames:v",
       std::to_string(kClipFrames),
       "-vf",
       vsr::format(
           "scale={}:{}:in_color_matrix=bt709:out_color_matrix=bt709", format.width, format.height),
       "-pix_fmt",
       rgb ? "gbrp16le" : "yuv422p10le",
       "-f",
       "rawvideo",
       raw.string()});
  std::string bytes = read_file(raw, 1u << 30);
  std::filesystem::remove(raw);
  if (rgb) {  // FFmpeg writes G, B, R and we count R, G, B
    const std::size_t picture = packed_bytes(format);
    for (std::size_t at = 0; at + picture <= bytes.size(); at += picture) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      std::rotate(begin,
                  begin + static_cast<std::ptrdiff_t>(picture / 3 * 2),
                  begin + static_cast<std::ptrdiff_t>(picture));
    }
  }
  return bytes;
}

void paint_white(const MutablePictureView& view) {
  const bool rgb = view.format.model == ColourModel::kRgb;
  for (int plane = 0; plane < plane_count(view.format); ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    const auto value = static_cast<std::uint16_t>(rgb ? 65535 : plane == 0 ? 940 : 512);
    for (int y = 0; y < plane_height(view.format, plane); ++y) {
      auto* row = reinterpret_cast<std::uint16_t*>(view.planes[i] + y * view.pitch_bytes[i]);
      std::fill_n(row, plane_width(view.format, plane), value);
    }
  }
}

}  // namespace

void ffmpeg(const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"ffmpeg", "-nostdin", "-v", "error", "-y"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const ProcessResult result = run_process(all);
  ASSERT_EQ(result.status, 0) << result.output;
}

assemble::AssembleResult assemble_all(const assemble::AssembleSpec& spec) {
  return assemble::assemble(spec, [](std::int64_t) { return true; });
}

assemble::AssembleSpec make_segments(const std::filesystem::path& folder,
                                     const SegmentsWanted& wanted) {
  const PictureFormat format = media::mezzanine_format(wanted.codec, wanted.width, wanted.height);
  std::string pictures = clip_pictures(folder, format);
  const std::size_t size = packed_bytes(format);
  EXPECT_EQ(pictures.size(), kClipFrames * size);

  assemble::AssembleSpec spec;
  spec.codec = wanted.codec;
  spec.picture = format;
  spec.colour = wanted.colour;
  spec.sample_aspect = wanted.sample_aspect;
  spec.timeline_rate = wanted.rate;
  spec.out_dir = folder / "final";
  spec.options.height = 0;
  spec.options.preset = "ultrafast";
  spec.options.crf = 24;
  spec.options.params = "";
  spec.threads = 2;
  std::vector<std::byte> memory(size);
  const MutablePictureView view = packed_view(format, memory.data());
  for (std::int64_t begin = 0; begin < wanted.frames; begin += wanted.core) {
    assemble::SegmentFile segment;
    segment.core = {begin, std::min(begin + wanted.core, wanted.frames)};
    segment.input = grow(segment.core, wanted.overlap, {0, wanted.frames});
    segment.path =
        folder /
        vsr::format("{:04}{}", begin / wanted.core, media::mezzanine_extension(wanted.codec));
    media::SegmentWriter writer(segment.path,
                                wanted.codec,
                                format,
                                wanted.colour,
                                wanted.rate,
                                wanted.sample_aspect,
                                segment.input.begin,
                                2);
    for (std::int64_t frame = segment.input.begin; frame < segment.input.end; ++frame) {
      std::memcpy(memory.data(),
                  pictures.data() + static_cast<std::size_t>(frame % kClipFrames) * size,
                  size);
      if (std::ranges::find(wanted.white_frames, frame) != wanted.white_frames.end()) {
        paint_white(view);
      }
      writer.write(view);
    }
    segment.checksums = writer.finish().checksums;
    spec.segments.push_back(segment);
  }
  return spec;
}

std::filesystem::path make_source(const std::filesystem::path& path,
                                  double seconds,
                                  const std::string& sound,
                                  const std::vector<std::string>& more) {
  std::vector<std::string> arguments{
      "-f", "lavfi", "-i", vsr::format("testsrc2=s=64x48:r=25:d={}", seconds)};
  if (!sound.empty()) arguments.insert(arguments.end(), {"-f", "lavfi", "-i", sound});
  arguments.insert(arguments.end(), {"-c:v", "mpeg4", "-q:v", "10"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back(path.string());
  ffmpeg(arguments);
  return path;
}

std::vector<std::string> probe(const std::filesystem::path& path,
                               const std::string& streams,
                               const std::string& entries) {
  std::vector<std::string> arguments{"ffprobe", "-v", "error"};
  if (!streams.empty()) arguments.insert(arguments.end(), {"-select_streams", streams});
  arguments.insert(arguments.end(), {"-show_entries", entries, "-of", "csv=p=0", path.string()});
  const ProcessResult result = run_process(arguments);
  EXPECT_EQ(result.status, 0) << result.output;
  std::vector<std::string> lines;
  std::istringstream text(result.output);
  for (std::string line; std::getline(text, line);) {
    while (!line.empty() && line.back() == ',') line.pop_back();  // side data leave an empty field
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::string probe_one(const std::filesystem::path& path,
                      const std::string& streams,
                      const std::string& entries) {
  const auto lines = probe(path, streams, entries);
  EXPECT_FALSE(lines.empty()) << path << " " << streams << " " << entries;
  return lines.empty() ? "" : lines.front();
}

Rational start_time_s(const std::filesystem::path& path) {
  constexpr std::int64_t kTicks = 90000;  // a second; a multiple of both clocks' rates
  const double seconds = std::stod(probe_one(path, "v:0", "stream=start_time"));
  return {std::llround(seconds * kTicks), kTicks};
}

std::vector<double> packet_times(const std::filesystem::path& path, const std::string& stream) {
  std::vector<double> times;
  for (const std::string& line : probe(path, stream, "packet=pts_time")) {
    times.push_back(std::stod(line));
  }
  return times;
}

std::string video_hash(const std::filesystem::path& film) {
  const auto result = run_process({"ffmpeg",
                                   "-nostdin",
                                   "-v",
                                   "error",
                                   "-i",
                                   film.string(),
                                   "-map",
                                   "0:v",
                                   "-c",
                                   "copy",
                                   "-f",
                                   "streamhash",
                                   "-"});
  EXPECT_EQ(result.status, 0) << result.output;
  return result.output;
}

void expect_decodes(const std::filesystem::path& path) {
  const ProcessResult result = run_process({"ffmpeg",
                                            "-nostdin",
                                            "-v",
                                            "error",
                                            "-i",
                                            path.string(),
                                            "-map",
                                            "0:v",
                                            "-map",
                                            "0:a?",
                                            "-f",
                                            "null",
                                            "-"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "");
}

std::vector<float> sound(const std::filesystem::path& path,
                         const std::string& stream,
                         int channel) {
  const TemporaryFolder folder;
  const auto raw = folder.path() / "sound.raw";
  ffmpeg({"-i",
          path.string(),
          "-map",
          "0:" + stream,
          "-af",
          vsr::format("pan=mono|c0=c{},aresample={}", channel, kRate),
          "-f",
          "f32le",
          raw.string()});
  const std::string bytes = read_file(raw, 1u << 30);
  std::vector<float> decoded(bytes.size() / sizeof(float));
  std::memcpy(decoded.data(), bytes.data(), decoded.size() * sizeof(float));
  // Onto the film's clock: by the first decoded frame, for decoders may drop what a codec put
  // before.
  const ProcessResult first = run_process({"ffprobe",
                                           "-v",
                                           "error",
                                           "-select_streams",
                                           stream,
                                           "-read_intervals",
                                           "%+#1",
                                           "-show_entries",
                                           "frame=pts_time",
                                           "-of",
                                           "csv=p=0",
                                           path.string()});
  EXPECT_EQ(first.status, 0) << first.output;
  const double start_s = std::stod(first.output);
  const auto shift = static_cast<std::ptrdiff_t>(std::lround(start_s * kRate));
  if (shift > 0) decoded.insert(decoded.begin(), static_cast<std::size_t>(shift), 0.0f);
  if (shift < 0) decoded.erase(decoded.begin(), decoded.begin() - shift);
  return decoded;
}

double frequency(const std::vector<float>& samples, double begin_s, double end_s) {
  const auto begin = static_cast<std::size_t>(begin_s * kRate);
  const auto end = std::min(samples.size(), static_cast<std::size_t>(end_s * kRate));
  double first = -1;
  double last = -1;
  int crossings = 0;
  for (std::size_t i = begin + 1; i < end; ++i) {
    if (samples[i - 1] < 0 && samples[i] >= 0) {
      const double at = static_cast<double>(i - 1) +
                        samples[i - 1] / static_cast<double>(samples[i - 1] - samples[i]);
      if (first < 0) {
        first = at;
      } else {
        ++crossings;
      }
      last = at;
    }
  }
  return crossings == 0 ? 0 : crossings * kRate / (last - first);
}

double first_loud_s(const std::vector<float>& samples, double from_s, float level) {
  for (auto i = static_cast<std::size_t>(from_s * kRate); i < samples.size(); ++i) {
    if (std::abs(samples[i]) > level) return static_cast<double>(i) / kRate;
  }
  return -1;
}

std::vector<double> brightness(const std::filesystem::path& path) {
  const TemporaryFolder folder;
  const auto raw = folder.path() / "luma.raw";
  ffmpeg({"-i",
          path.string(),
          "-map",
          "0:v:0",
          "-vf",
          "scale=16:16:flags=area,format=gray",
          "-fps_mode",
          "passthrough",
          "-f",
          "rawvideo",
          raw.string()});
  const std::string bytes = read_file(raw, 1u << 30);
  std::vector<double> means;
  for (std::size_t at = 0; at + 256 <= bytes.size(); at += 256) {
    double sum = 0;
    for (std::size_t i = 0; i < 256; ++i) sum += static_cast<unsigned char>(bytes[at + i]);
    means.push_back(sum / 256);
  }
  return means;
}

std::vector<double> flashes_s(const std::filesystem::path& path) {
  const std::vector<double> means = brightness(path);
  std::vector<double> times = packet_times(path, "v:0");
  std::sort(times.begin(), times.end());  // from decoding order
  EXPECT_EQ(means.size(), times.size());
  std::vector<double> found;
  for (std::size_t i = 0; i < std::min(means.size(), times.size()); ++i) {
    if (means[i] > 220 && (i == 0 || means[i - 1] <= 220)) found.push_back(times[i]);
  }
  return found;
}

}  // namespace vsr::test
