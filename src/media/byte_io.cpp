#include "byte_io.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

namespace vsr::media {

namespace {

// As FFmpeg's own for files, so that demuxers find the same in either.
constexpr int kBufferBytes = 32768;

struct Reading {
  std::unique_ptr<ByteSource> source;
  std::uint64_t at = 0;
  std::exception_ptr failure;
};

Reading& reading_of(const AVIOContext& io) { return *static_cast<Reading*>(io.opaque); }

int read_bytes(void* opaque, std::uint8_t* into, int size) {
  Reading& reading = *static_cast<Reading*>(opaque);
  try {
    const std::size_t got = reading.source->read(
        reading.at, {reinterpret_cast<std::byte*>(into), static_cast<std::size_t>(size)});
    reading.at += got;
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  } catch (...) {
    if (!reading.failure) reading.failure = std::current_exception();
    return AVERROR(EIO);
  }
}

std::int64_t seek_bytes(void* opaque, std::int64_t offset, int whence) {
  Reading& reading = *static_cast<Reading*>(opaque);
  const auto size = static_cast<std::int64_t>(reading.source->size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += static_cast<std::int64_t>(reading.at);
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  reading.at = static_cast<std::uint64_t>(offset);
  return offset;
}

bool is_ours(const AVIOContext& io) { return io.read_packet == read_bytes; }

}  // namespace

void CloseByteIo::operator()(AVIOContext* io) const {
  if (io == nullptr || !is_ours(*io)) return;
  delete &reading_of(*io);
  av_freep(&io->buffer);
  avio_context_free(&io);
}

ByteIoPtr make_byte_io(std::unique_ptr<ByteSource> source) {
  auto reading = std::make_unique<Reading>();
  reading->source = std::move(source);
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  AVIOContext* io =
      buffer == nullptr
          ? nullptr
          : avio_alloc_context(buffer, kBufferBytes, 0, nullptr, read_bytes, nullptr, seek_bytes);
  if (io == nullptr) {
    av_free(buffer);
    throw Error(ErrorCode::kInternal, "out of memory");
  }
  io->opaque = reading.release();  // CloseByteIo's from here on
  return ByteIoPtr(io);
}

void rethrow_failure(const AVIOContext& io) {
  if (is_ours(io) && reading_of(io).failure) std::rethrow_exception(reading_of(io).failure);
}

void rethrow_failure(const AVFormatContext& input) {
  if (input.pb != nullptr) rethrow_failure(*input.pb);
}

int open_bytes(InputPtr& input,
               AVFormatContext* context,
               const std::string& url,
               const AVInputFormat* demuxer,
               AVDictionary** options,
               const OpenBytes& open) {
  InputPtr opened(context != nullptr ? context : avformat_alloc_context());
  if (!opened) throw Error(ErrorCode::kInternal, "out of memory");
  AVIOContext* const bytes = open ? make_byte_io(open()).release() : nullptr;
  opened->pb = bytes;
  AVFormatContext* raw = opened.release();
  const int result = avformat_open_input(&raw, url.c_str(), demuxer, options);
  if (result < 0) {  // frees the context alone
    const ByteIoPtr io(bytes);
    if (io) rethrow_failure(*io);
    return result;
  }
  input.reset(raw);
  return result;
}

}  // namespace vsr::media
