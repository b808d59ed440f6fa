// A segment's mezzanine: pictures into an intra-only codec, one packet a picture, so that trimming
// is packet-exact.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vsr::media {

// kNone: no mezzanine; the segment's core in the codec of the final film
// (assemble/chunk_writer.hpp).
enum class MezzanineCodec { kProres, kDnxhr, kFfv1, kPng, kNone };

// What the upscaler has to deliver for this codec (ProRes 422 HQ: yuv422p10; PNG: gbrp16), and the
// file's ending (".mov", ".mkv", ".nut"; PNG: "" since it is a folder of pictures).
PictureFormat mezzanine_format(MezzanineCodec codec, int width, int height);
std::string mezzanine_extension(MezzanineCodec codec);
// Says before any work whether the codec can hold such pictures (DNxHR: at least 256x120; ProRes
// and DNxHR: an even width). Throws Error(kUsage) naming segment.codec and what to do.
void check_mezzanine(MezzanineCodec codec, const PictureFormat& format);

struct WrittenMezzanine {
  std::int64_t frames = 0;
  std::uint64_t bytes = 0;               // of the file(s)
  std::vector<std::uint32_t> checksums;  // CRC-32 (IEEE) of each picture's packet, in order
  std::vector<float> encode_s;  // by SegmentWriter: seconds that an encoder was at each picture
  double busy_s = 0;  // the least that encoding and writing took, had pictures always been there
};

// Takes a segment's pictures in order and makes a file of them.
class PictureWriter {
 public:
  virtual ~PictureWriter() = default;
  // Both may take a while: `check` is called again and again, and ends them by what it throws.
  //
  // The picture may be reused after the call.
  virtual void write(const PictureView& picture, const std::function<void()>& check) = 0;
  // Closes, syncs and publishes the file.
  virtual WrittenMezzanine finish(const std::function<void()>& check) = 0;
};

// Several encoders take pictures in turn, packets are written in the order of the pictures. So many
// pictures are inside at once that every encoder has one and some wait; then a call waits too.
//
// Errors: a picture that cannot be encoded or written shows in a later call, at the latest in
// finish(); nothing can be written after that.
// Threads: one at a time; encoding and writing run on threads of its own.
class SegmentWriter {
 public:
  // How many pictures are inside at most, with so many threads: whoever lends them needs some more.
  static std::size_t pictures_inside(const PictureFormat& format, int threads);

  // Writes to part_name(path), replacing what an earlier attempt left there. first_frame numbers
  // the first picture on the timeline: pts and PNG names count from it.
  // `colour` is written as matrix, range, primaries, transfer and siting tags, as far as codec and
  // container have a place for them (MOV has none for range and siting: the plan keeps them).
  // `threads`: 0: as many as this process may use. `encoders` that share them: 0: as many as suits
  // them and the pictures' size. The bytes depend on neither.
  SegmentWriter(const std::filesystem::path& path,
                MezzanineCodec codec,
                const PictureFormat& format,
                const ColourDescription& colour,
                const Rational& rate,
                const Rational& sample_aspect,
                std::int64_t first_frame,
                int threads,
                int encoders = 0);
  // Without finish(): what was written is left as *.part. Pictures lent are given back.
  ~SegmentWriter();
  SegmentWriter(SegmentWriter&&) noexcept;
  SegmentWriter& operator=(SegmentWriter&&) noexcept;

  // REQUIRES: picture.format == format. The picture may be reused after the call: it is copied.
  void write(const PictureView& picture);
  // Without a copy: the picture has to stay as it is until `give_back` is called, which happens
  // once whatever becomes of the picture, also when this throws, from this thread or another one.
  // It must not throw, nor call the writer. (Where a plane's place or pitch is no multiple of 32
  // bytes the picture is copied all the same, and given back at once.) REQUIRES: as write().
  void lend(const PictureView& picture, std::function<void()> give_back);
  // Drains the encoders, closes, syncs and publishes the file at `path`.
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
