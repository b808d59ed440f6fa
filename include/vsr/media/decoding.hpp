// Where a film is decoded, and pictures that stay in the GPU's memory where they were decoded.
// No header of ours shows CUDA: its handles are bare pointers here.
#pragma once

#include "vsr/base/picture.hpp"

#include <array>
#include <cstddef>
#include <memory>

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

// A picture in a GPU's memory. Beside the shape that it has on the host, where each kind of sample
// has a plane of its own, it may be semi-planar: a plane of luma, then one of Cb and Cr in turn
// (NV12 in 8 bits, P010 and P016 above).
struct DevicePicture {
  PictureFormat format;      // on the host; bit_depth is that of the samples
  bool semi_planar = false;  // planes[1] holds Cb and Cr in turn, planes[2] is null
  int shift_bits = 0;        // samples of two bytes hold the value in their high bits, this far up
  std::array<const void*, 3> planes{};  // CUdeviceptr
  std::array<std::ptrdiff_t, 3> pitch_bytes{};
  void* cuda_context = nullptr;  // that the memory belongs to
  // CUstream that the picture is made in (null: the context's default stream): whoever reads it in
  // another one lets that wait for an event recorded here.
  void* stream = nullptr;
  // Keeps the memory. It belongs to the decoder, which stands still when too many of its pictures
  // are held: at most kMostHeld at a time.
  std::shared_ptr<const void> owner;

  static constexpr int kMostHeld = 4;
};

}  // namespace vsr::media
