// A finished mezzanine, packet by packet and picture by picture: what SegmentReader and the final
// assembly share. Private to src/media and src/assemble.
#pragma once

#include "av.hpp"
#include "vsr/base/byte_source.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vsr::media {

// CRC-32 (IEEE 802.3, as in zip and PNG) of a picture's packet.
std::uint32_t packet_checksum(std::span<const std::uint8_t> bytes);

// "00000123.png": a picture of a PNG mezzanine, by its number on the timeline.
std::string png_name(std::int64_t frame);

// The packets of pictures [first, first + count), counted within the mezzanine from 0, each checked
// against `checksums` (by position in the mezzanine; empty: no check). A chunk is read whole: with
// its last packet its times are checked, too. `open`: where the file's bytes are had, if not here
// (no PNG); what they throw goes on from here. Every fault is an Error(kStorage) naming the file
// and the picture.
class SegmentPackets {
 public:
  SegmentPackets(std::filesystem::path path,
                 MezzanineCodec codec,
                 std::int64_t first,
                 std::int64_t count,
                 std::vector<std::uint32_t> checksums,
                 OpenBytes open = {});

  // Of the stream; for PNG the codec alone.
  const AVCodecParameters& parameters() const { return *parameters_; }

  const std::filesystem::path& path() const { return path_; }

  // The next packet; pts and dts are the picture's position in the mezzanine, one tick a picture.
  // With MezzanineCodec::kNone packets come in the order of decoding: dts is the position in that,
  // pts the time after the first packet's, in time_base(). False after the last.
  bool read(AVPacket& packet);

  // REQUIRES: no PNG.
  AVRational time_base() const { return input_->streams[stream_]->time_base; }

 private:
  void open_container(const OpenBytes& open);
  void open_folder();
  void read_container(AVPacket& packet);
  void read_file_of_folder(AVPacket& packet);
  void check_times();
  [[noreturn]] void fail(std::int64_t position, const std::string& what) const;

  std::filesystem::path path_;
  MezzanineCodec codec_;
  std::int64_t position_;
  std::int64_t end_;
  std::int64_t first_pts_ = 0;
  std::vector<std::int64_t> times_;  // of a chunk's packets read so far
  std::vector<std::uint32_t> checksums_;
  AvPtr<AVCodecParameters> parameters_;
  InputPtr input_;
  int stream_ = -1;
  std::vector<std::filesystem::path> files_;  // PNG only, by position
};

// The same pictures decoded. For PNG they are rgb48be, as stored.
class SegmentFrames {
 public:
  // `threads`: 0: as many as this process may use.
  SegmentFrames(std::filesystem::path path,
                MezzanineCodec codec,
                std::int64_t first,
                std::int64_t count,
                std::vector<std::uint32_t> checksums,
                int threads,
                OpenBytes open = {});

  // False after the last picture. The frame is the caller's to keep.
  bool read(AVFrame& frame);

 private:
  SegmentPackets packets_;
  std::int64_t first_;
  std::int64_t count_;
  std::int64_t given_ = 0;
  CodecPtr decoder_;
  PacketPtr packet_;
  bool drained_ = false;
};

}  // namespace vsr::media
