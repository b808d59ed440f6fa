// A ByteSource as FFmpeg reads files: by an AVIOContext of ours. Private to src/media; the one who
// closes the input (CloseInput in av.hpp) closes this, too.
#pragma once

#include "av.hpp"
#include "vsr/base/byte_source.hpp"

#include <memory>

namespace vsr::media {

struct CloseByteIo {
  void operator()(AVIOContext* io) const;
};

using ByteIoPtr = std::unique_ptr<AVIOContext, CloseByteIo>;

ByteIoPtr make_byte_io(std::unique_ptr<ByteSource> source);
// FFmpeg takes numbers for errors: what the source threw, if it did, goes on from here. Nothing for
// files that FFmpeg opened itself.
void rethrow_failure(const AVFormatContext& input);
void rethrow_failure(const AVIOContext& io);

// Opens `path`, or what `open` gives in its place; else as avformat_open_input() with a context of
// its own. Then `input` owns it. Gives FFmpeg's result; throws what the source throws.
int open_bytes(InputPtr& input,
               AVFormatContext* context,
               const std::string& url,
               const AVInputFormat* demuxer,
               AVDictionary** options,
               const OpenBytes& open);

}  // namespace vsr::media
