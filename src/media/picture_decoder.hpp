// Packets of a film's video stream, and the pictures they decode to, from the start or from any key
// packet on.
//
// Entering never guesses: the decoder is fed from the very packet that is asked for, recognised by
// its pts and key flag, whatever place the container's seek lands on. A seek that cannot reach it
// is replaced by reading packets from the start of the file, undecoded.
#pragma once

#include "input.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace vsr::media {

class PictureDecoder {
 public:
  // `stream`: -1 for the film's own. `threads`: of the decoder; 0: as many as this process may use.
  PictureDecoder(const std::string& path, int stream, int threads);

  const Input& input() const { return input_; }

  const AVStream& stream() const { return *input_.format->streams[stream_]; }

  // Goes back to the start of the file.
  void rewind();
  // The next packet of the stream, valid until the next call; null at the end of the file. Not to
  // be mixed with next(), but for a rewind() or enter() between.
  AVPacket* read_packet();

  // What the demuxer gave up with at the end of the file; empty: the end itself.
  const std::string& read_error() const { return read_error_; }

  // Makes next() begin with key_pts[at], whose packet is a key packet. `key_pts` are all known such
  // places, ascending. `key_pts` empty or `at` below 0: the start of the file.
  // Throws Error(kInput) when the packet is not there: the file has changed.
  void enter(std::span<const std::int64_t> key_pts, std::int64_t at);

  // Whether the last enter() had to read the file from its start.
  bool entered_slowly() const { return entered_slowly_; }

  // The next picture as the decoder puts it out, i.e. in the order of presentation, with pts where
  // the stream has them; null at the end. Packets that do not decode are counted and passed over.
  FramePtr next();

  std::int64_t failed_packets() const { return failed_packets_; }

 private:
  void open();
  void open_codec();
  bool seek_to(std::int64_t target_pts, std::int64_t wanted_pts);
  bool skip_to(std::int64_t wanted_pts, bool give_up_past);
  bool feed();

  std::string path_;
  int wanted_stream_;
  int threads_;
  Input input_;
  int stream_ = -1;
  CodecPtr codec_;
  PacketPtr packet_ = make_packet();
  bool held_ = false;      // packet_ is to be decoded next
  bool used_ = false;      // packets have been read since the file was opened
  bool draining_ = false;  // the decoder has been told of the end
  bool entered_slowly_ = false;
  std::int64_t failed_packets_ = 0;
  std::string read_error_;
};

}  // namespace vsr::media
