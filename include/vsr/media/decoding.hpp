// Where a film is decoded.
#pragma once

namespace vsr::media {

// The processor, or the decoder that NVIDIA GPUs have beside their cores. The pictures are the same
// bit for bit, with one exception: what is made up for damaged ones is each decoder's own, and
// NVDEC does not tell which those are.
struct DecodeDevice {
  bool nvdec = false;
  int gpu = 0;  // as CUDA counts them
  // The CUcontext to work in, which must outlive the reader; null: one of its own, whose memory no
  // other can use.
  void* cuda_context = nullptr;
  // Pictures that no filter has to see are handed out as DevicePicture where the caller takes them.
  bool stay_on_gpu = false;
};

}  // namespace vsr::media
