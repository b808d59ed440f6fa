// Decoding by the GPU's own decoder, NVDEC, through FFmpeg's decoders: they parse the stream and
// order the pictures as ever, only the pictures themselves are made by the GPU. What comes out is
// in the form in which the same decoder gives it without a GPU.
//
// It is all or nothing: a film or a place that NVDEC cannot decode is an error, never a silent
// return to the processor.
#pragma once

#include "av.hpp"
#include "vsr/base/device_picture.hpp"
#include "vsr/media/decoding.hpp"

#include <string>
#include <vector>

namespace vsr::media {

// FFmpeg's decoder of a codec that can use NVDEC and gives the same pictures with it. Throws
// Error(kUsage), saying why there is none; `path` names the film.
const AVCodec& nvdec_decoder(const std::string& path, AVCodecID codec);

// The answers to a decoder that asks which of its pixel formats to use: NVDEC's, or none.
class NvdecChoice {
 public:
  // `offered` ends with AV_PIX_FMT_NONE.
  AVPixelFormat choose(const AVPixelFormat* offered, const std::string& codec);

  // Why there was no choice; empty: there was.
  const std::string& refusal() const { return refusal_; }

  // Whether the GPU, and not the stream's form, is to blame.
  bool refused_by_gpu() const { return refused_by_gpu_; }

 private:
  std::vector<AVPixelFormat> last_offer_;  // less NVDEC's
  std::string refusal_;
  bool refused_by_gpu_ = false;
};

// A picture as NVDEC gives it, already on the host, in the decoder's own format `wanted`: chroma
// samples that stand in turn get planes of their own, and samples in the high bits move down.
// Throws Error(kUsage) for one that cannot be turned into that.
FramePtr planar_of(const AVFrame& picture, AVPixelFormat wanted);

// An interlaced MPEG-2 picture has an even number of rows of macroblocks, the last of which may lie
// below what is shown; motion reaches into it. FFmpeg (5.1) tells NVDEC of the rows that are shown:
// where they are odd, pictures come out wrong from the bottom upwards. Throws Error(kUsage) for
// those; PAL, NTSC and 1080 lines are even.
void refuse_half_rows(const AVFrame& picture, AVCodecID codec);

class Nvdec {
 public:
  // `path` names the film.
  Nvdec(std::string path, DecodeDevice device);
  Nvdec(const Nvdec&) = delete;
  Nvdec& operator=(const Nvdec&) = delete;

  // To be called before the decoder is opened; it refers to this from then on. Opens the GPU at the
  // first time. Throws Error(kGpu).
  void attach(AVCodecContext& decoder);

  // To be called when the decoder fails, with what it logged: throws if that was for want of
  // NVDEC, with Error(kUsage) or Error(kGpu).
  void check(const std::string& log) const;

  // The decoder's picture on the host, or as it is with DecodeDevice::stay_on_gpu.
  FramePtr picture(FramePtr frame, const AVCodecContext& decoder) const;

  // A picture on the host; `wanted` is the decoder's own format of pictures.
  FramePtr to_host(const AVFrame& frame, AVPixelFormat wanted) const;

 private:
  static AVPixelFormat get_format(AVCodecContext* decoder, const AVPixelFormat* offered);

  std::string path_;
  DecodeDevice device_;
  BufferPtr gpu_;
  NvdecChoice choice_;
};

// Whether the frame's samples are in a GPU's memory.
bool is_on_gpu(const AVFrame& frame);
// What a frame on the GPU is to those who use it there; it keeps a reference. `wanted` as above.
DevicePicture device_picture(const AVFrame& frame, AVPixelFormat wanted);

}  // namespace vsr::media
