// The film itself as lossless intra pictures: FFV1 level 3 in Matroska, any PictureFormat that we
// decode. (A segment's mezzanine, after upscaling, is segment_writer.hpp.)
#pragma once

#include "av.hpp"

#include <cstdint>
#include <filesystem>
#include <span>

namespace vsr::media {

// Whether a packet of such a file is as it was written: every byte belongs to a slice with a
// checksum.
bool slices_are_whole(std::span<const std::uint8_t> packet);

class MezzanineFile {
 public:
  // Writes to part_name(path). Slices do not depend on `threads` (0: as many as this process may
  // use), so neither do the bytes.
  // Throws Error(kInput) for a format FFV1 does not know, Error(kStorage) for a disk that is full.
  MezzanineFile(const std::filesystem::path& path,
                const PictureFormat& format,
                const ColourDescription& colour,
                const Rational& rate,
                const Rational& sample_aspect,
                int threads);

  // REQUIRES: the frame has this format.
  void write(const AVFrame& picture);
  // Ends the file; it stays under its part name.
  void finish();

  std::int64_t pictures() const { return pictures_; }

 private:
  void drain();

  std::filesystem::path path_;
  PictureFormat format_;
  ColourDescription colour_;
  OutputPtr output_;
  CodecPtr encoder_;
  PacketPtr packet_ = make_packet();
  std::int64_t pictures_ = 0;
};

}  // namespace vsr::media
