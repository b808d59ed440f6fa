// Segments and sources for the tests of the final assembly, made from the shipped clip, and what an
// independent reader (the ffmpeg and ffprobe programs) says of the films made from them.
#pragma once

#include "test_support.hpp"
#include "vsr/assemble/assemble.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vsr::test {

struct SegmentsWanted {
  media::MezzanineCodec codec = media::MezzanineCodec::kProres;
  int width = 64;
  int height = 48;
  std::int64_t frames = 50;
  std::int64_t core = 20;
  std::int64_t overlap = 3;
  Rational rate{25, 1};
  Rational sample_aspect{1, 1};
  ColourDescription colour{.matrix = Matrix::kBt709, .primaries = 1, .transfer = 1};
  std::vector<std::int64_t> white_frames;
};

inline constexpr double kFrame24 = 1.0 / 24;  // seconds a frame of the final films

// assemble() to its end.
assemble::AssembleResult assemble_all(const assemble::AssembleSpec& spec);

// Writes real pictures as segments into `folder` and returns a spec that names them, with a small
// and fast encode (x265 ultrafast, final height as it is). `source` is left empty.
assemble::AssembleSpec make_segments(const std::filesystem::path& folder,
                                     const SegmentsWanted& wanted);

// Runs ffmpeg with these arguments after "-v error -y"; fails the test when it fails.
void ffmpeg(const std::vector<std::string>& arguments);

// A small film with sound made by lavfi ("sine=...") in `codec`; more arguments go before the
// output's name.
std::filesystem::path make_source(const std::filesystem::path& path,
                                  double seconds,
                                  const std::string& sound,
                                  const std::vector<std::string>& more = {"-c:a", "ac3"});

// One line an entry, values with commas between.
std::vector<std::string> probe(const std::filesystem::path& path,
                               const std::string& streams,
                               const std::string& entries);
std::string probe_one(const std::filesystem::path& path,
                      const std::string& streams,
                      const std::string& entries);
// When a film's first picture is shown, in its own seconds, exact for Matroska and MPEG streams.
// What FFmpeg makes differs by version: 5.1 moves a film behind its sound's priming, 7.1 does not.
Rational start_time_s(const std::filesystem::path& path);
// Packets' times in seconds.
std::vector<double> packet_times(const std::filesystem::path& path, const std::string& stream);

// Of the video packets as they are; that FFmpeg reads them without a word is expected.
std::string video_hash(const std::filesystem::path& film);

// Decodes without any message.
void expect_decodes(const std::filesystem::path& path);

// One channel of a sound track as decoded, placed on the film's clock: element n is the sample at
// n / 48000 s.
std::vector<float> sound(const std::filesystem::path& path,
                         const std::string& stream = "a:0",
                         int channel = 0);
// Frequency of the loudest tone between two times, by counting its zero crossings.
double frequency(const std::vector<float>& samples, double begin_s, double end_s);
// Time of the first sample beyond `level` after `from_s`; -1: none.
double first_loud_s(const std::vector<float>& samples, double from_s, float level = 0.05f);
// Mean luma of each frame, 0..255.
std::vector<double> brightness(const std::filesystem::path& path);
// Times at which white frames begin.
std::vector<double> flashes_s(const std::filesystem::path& path);

}  // namespace vsr::test
