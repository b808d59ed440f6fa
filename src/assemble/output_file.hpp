// One file of the film, Matroska or a chunk in another container: streams are added, the header is
// written, packets are handed in roughly in order and written in order of their times, the end is
// written, the file published.
#pragma once

#include "media/av.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace vsr::assemble {

class OutputFile {
 public:
  // Creates part_name(path). Throws Error(kStorage).
  explicit OutputFile(std::filesystem::path path, const char* container = "matroska");
  // Unpublished: closes and removes the part file.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

  AVFormatContext& format() { return *muxer_; }

  AVStream& add_stream();
  // Whether Matroska has a place for the codec.
  static bool can_hold(AVCodecID codec);
  // After all streams were added and described.
  void write_header();
  // Takes the packet; its times are in ticks of `time_base`. It waits here for write_until().
  void add(media::PacketPtr packet, int stream, AVRational time_base);
  // Writes, in order of time, what lies before `time_ns`.
  void write_until(std::int64_t time_ns);
  // Writes the rest and the end, and publishes the file.
  void finish();

 private:
  void write(AVPacket& packet);

  std::filesystem::path path_;
  media::OutputPtr muxer_;
  std::multimap<std::int64_t, media::PacketPtr> waiting_;  // by decoding time in ns
  std::vector<std::int64_t> last_dts_;                     // by stream, in its ticks
  bool published_ = false;
};

}  // namespace vsr::assemble
