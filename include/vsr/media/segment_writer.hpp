// A segment's mezzanine: pictures into an intra-only codec, one packet a picture, so that trimming
// is packet-exact.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::media {

enum class MezzanineCodec { kProres, kDnxhr, kFfv1, kPng };

// What the upscaler has to deliver for this codec (ProRes 422 HQ: yuv422p10; PNG: gbrp16), and the
// file's ending (".mov", ".mkv"; PNG: "" since it is a folder of pictures).
PictureFormat mezzanine_format(MezzanineCodec codec, int width, int height);
std::string mezzanine_extension(MezzanineCodec codec);
// Says before any work whether the codec can hold such pictures (DNxHR: at least 256x120; ProRes
// and DNxHR: an even width). Throws Error(kUsage) naming segment.codec and what to do.
void check_mezzanine(MezzanineCodec codec, const PictureFormat& format);

struct WrittenMezzanine {
  std::int64_t frames = 0;
  std::uint64_t bytes = 0;               // of the file(s)
  std::vector<std::uint32_t> checksums;  // CRC-32 (IEEE) of each picture's packet, in order
};

// Threads: one at a time; encoding runs on threads of its own.
class SegmentWriter {
 public:
  // Writes to part_name(path), replacing what an earlier attempt left there. first_frame numbers
  // the first picture on the timeline: pts and PNG names count from it.
  // `colour` is written as matrix, range, primaries, transfer and siting tags, as far as codec and
  // container have a place for them (MOV has none for range and siting: the plan keeps them).
  // `threads`: 0: as many as this process may use; the bytes do not depend on it.
  SegmentWriter(const std::filesystem::path& path,
                MezzanineCodec codec,
                const PictureFormat& format,
                const ColourDescription& colour,
                const Rational& rate,
                const Rational& sample_aspect,
                std::int64_t first_frame,
                int threads);
  // Without finish(): what was written is left as *.part.
  ~SegmentWriter();
  SegmentWriter(SegmentWriter&&) noexcept;
  SegmentWriter& operator=(SegmentWriter&&) noexcept;

  // REQUIRES: picture.format == format. The picture may be reused after the call.
  void write(const PictureView& picture);
  // Drains the encoder, closes, syncs and publishes the file at `path`.
  WrittenMezzanine finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads back pictures [first, first + count), counted within the mezzanine from 0, for the final
// encode, checking each packet against `checksums` (empty: no check).
// Throws Error(kStorage) when a packet is missing or differs: the segment has to be made again.
class SegmentReader {
 public:
  SegmentReader(const std::filesystem::path& path,
                MezzanineCodec codec,
                std::int64_t first,
                std::int64_t count,
                std::vector<std::uint32_t> checksums,
                int threads);
  ~SegmentReader();
  SegmentReader(SegmentReader&&) noexcept;
  SegmentReader& operator=(SegmentReader&&) noexcept;

  // The next picture, valid until the next call; false after the last.
  bool read(PictureView& picture);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What is wrong with a mezzanine by its packets' checksums, in words; nothing when it is whole.
// Reads the file, decodes nothing.
std::optional<std::string> find_damage(const std::filesystem::path& path,
                                       MezzanineCodec codec,
                                       const std::vector<std::uint32_t>& checksums);

}  // namespace vsr::media
