// A segment's ProRes mezzanine from packets that are encoded already (on the GPU): the same file
// that SegmentWriter makes of the same packets, with the same checksums.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace vsr::media {

// Threads: one at a time.
class PacketWriter {
 public:
  // Arguments as SegmentWriter's, of ProRes 422 HQ. Throws Error(kUsage) where ProRes cannot hold
  // such pictures, Error(kStorage).
  PacketWriter(const std::filesystem::path& path,
               const PictureFormat& format,
               const ColourDescription& colour,
               const Rational& rate,
               const Rational& sample_aspect,
               std::int64_t first_frame);
  // Without finish(): what was written is left as *.part.
  ~PacketWriter();
  PacketWriter(PacketWriter&&) noexcept;
  PacketWriter& operator=(PacketWriter&&) noexcept;

  // The next picture's whole frame, as a container holds it. May be reused after the call. Throws
  // Error(kInternal) for what by its header is no ProRes frame of this size and length.
  void write(std::span<const std::byte> packet);
  // Closes, syncs and publishes the file at `path`.
  WrittenMezzanine finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::media
