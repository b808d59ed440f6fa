// A segment's core encoded for the film: a chunk. Of its mezzanine, or as its pictures are made,
// with no mezzanine between. It begins with a key picture and refers to nothing outside itself, so
// that assemble() joins chunks packet by packet.
#pragma once

#include "vsr/assemble/assemble.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace vsr::assemble {

// Scaling and encoding run on threads of their own. What one of them fails of shows in a later
// call, at the latest in finish().
// Encodes the core of the only segment of `spec` from its mezzanine into `path` (*.part meanwhile).
// `progress` as for assemble(), asked at least ten times a second. The checksums are those of the
// packets in their order in the file. Throws Error as assemble() does.
media::WrittenMezzanine encode_chunk(const std::filesystem::path& path,
                                     const AssembleSpec& spec,
                                     const std::function<bool(std::int64_t)>& progress);

class ChunkWriter final : public media::PictureWriter {
 public:
  // Of `spec` all counts that counts for the picture; its segments do not. `frames`: how many
  // pictures will be written. Writes part_name(path). Throws Error(kUsage) as validate() does.
  ChunkWriter(const std::filesystem::path& path, const AssembleSpec& spec, std::int64_t frames);
  // Without finish(): what was written is removed.
  ~ChunkWriter() override;

  // REQUIRES: picture.format == spec.picture. The picture is copied.
  void write(const PictureView& picture, const std::function<void()>& check) override;
  // The checksums are those of the packets in their order in the file.
  media::WrittenMezzanine finish(const std::function<void()>& check) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vsr::assemble
