// Packets of a film's video stream, and the pictures they decode to, from the start or from any key
// packet on.
//
// Entering never guesses: the decoder is fed from the very packet that is asked for, recognised by
// its pts and key flag, whatever place the container's seek lands on. A seek that cannot reach it
// is replaced by reading packets from the start of the file, undecoded.
#pragma once

#include "input.hpp"
#include "nvdec.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vsr::media {

// What to do about packets that do not decode, or not cleanly: films have them, and are shown all
// the same; a mezzanine of our own must not.
enum class Damage { kPassOver, kRefuse };

// Whether the decoder says so of a picture that it gives all the same.
bool is_damaged(const AVFrame& frame);

// Throws Error(kStorage) when a read fails, wherever packets are read.
class PictureDecoder {
 public:
  // `stream`: -1 for the film's own. `threads`: of the decoder; 0: as many as this process may use.
  // Damage::kRefuse is for files of MezzanineFile, which no GPU decodes. `bytes`: where the file's
  // bytes are had, if not here.
  PictureDecoder(const std::string& path,
                 int stream,
                 int threads,
                 Damage damage = Damage::kPassOver,
                 const DecodeDevice& device = {},
                 OpenBytes bytes = {});

  const Input& input() const { return input_; }

  const AVStream& stream() const { return *input_.format->streams[stream_]; }

  // Goes back to the start of the file.
  void rewind();
  // The next packet of the stream, valid until the next call; null at the end of the file. Not to
  // be mixed with next(), but for a rewind() or enter() between. Throws Error(kInput) when the file
  // has become shorter since it was opened.
  AVPacket* read_packet();

  // Whether the demuxer gave up on what it met, instead of reaching the end of the file.
  bool gave_up() const { return gave_up_; }

  // Since the last rewind() or enter(): packets of the stream, and their greatest pts.
  std::int64_t packets() const { return packets_; }

  std::int64_t greatest_pts() const { return greatest_pts_; }

  Damage damage() const { return damage_; }

  // Makes next() begin with key_pts[at], whose packet is a key packet. `key_pts` are all known such
  // places, ascending. `key_pts` empty or `at` below 0: the start of the file.
  // Throws Error(kInput) when the packet is not there: the file has changed.
  void enter(std::span<const std::int64_t> key_pts, std::int64_t at);

  // Whether the last enter() had to read the file from its start.
  bool entered_slowly() const { return entered_slowly_; }

  // The next picture as the decoder puts it out, i.e. in the order of presentation, with pts where
  // the stream has them; null at the end. Packets that do not decode are passed over, or
  // refused with Error(kInput).
  // With DecodeDevice::nvdec throws Error(kUsage) or Error(kGpu) where NVDEC cannot decode them.
  FramePtr next();

  // Of a picture that stayed on the GPU: on the host, and as others see it there.
  FramePtr to_host(const AVFrame& frame) const {
    return nvdec_->to_host(frame, codec_->sw_pix_fmt);
  }

  DevicePicture on_device(const AVFrame& frame) const {
    return device_picture(frame, codec_->sw_pix_fmt);
  }

 private:
  void open();
  void open_codec();
  bool seek_to(std::int64_t target_pts, std::int64_t wanted_pts);
  bool skip_to(std::int64_t wanted_pts, bool give_up_past);
  void start_counting();
  void check_size() const;
  void check_whole(const AVFrame& frame) const;
  [[noreturn]] void refuse_damage(std::int64_t pts, std::string_view what) const;
  bool feed();
  int receive(AVFrame& frame);

  std::string path_;
  OpenBytes open_bytes_;
  int wanted_stream_;
  int threads_;
  Damage damage_;
  std::unique_ptr<Nvdec> nvdec_;  // null: by the processor; outlives codec_, which refers to it
  Input input_;
  int stream_ = -1;
  CodecPtr codec_;
  PacketPtr packet_ = make_packet();
  bool held_ = false;      // packet_ is to be decoded next
  bool used_ = false;      // packets have been read since the file was opened
  bool draining_ = false;  // the decoder has been told of the end
  bool entered_slowly_ = false;
  bool gave_up_ = false;
  std::int64_t packets_ = 0;
  std::int64_t greatest_pts_ = AV_NOPTS_VALUE;  // which is below all others
};

}  // namespace vsr::media
