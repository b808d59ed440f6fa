// A decoded picture in a GPU's memory, for the rooms that make, hand on and read it there. No
// header of ours shows CUDA: its handles are bare pointers here.
#pragma once

#include "vsr/base/picture.hpp"

#include <cstddef>
#include <memory>

namespace vsr {

// How a GPU's decoder lays samples out, where it is not as vsr/base/picture.hpp has them. The usual
// forms: NV12 in 8 bits, P010 and P016 above.
struct SampleForm {
  bool semi_planar = false;  // plane 1 holds Cb and Cr in turn, there is no plane 2
  int shift_bits = 0;        // samples of two bytes hold the value this far above the low bits

  bool operator==(const SampleForm&) const = default;
};

// A view of a picture laid out so, planes one after another and rows unpadded: as large as
// packed_view()'s without a form.
MutablePictureView packed_view(const PictureFormat& format,
                               const SampleForm& form,
                               std::byte* memory);
// On the host: all samples, as vsr/base/picture.hpp has them. REQUIRES: equal formats.
void copy_picture(const PictureView& from, const SampleForm& form, const MutablePictureView& to);

struct DevicePicture {
  PictureView view;  // planes are CUdeviceptr; format is the one on the host
  SampleForm form;
  void* cuda_context = nullptr;  // that the memory belongs to
  // CUstream that the picture is made in (null: the context's default stream): whoever reads it in
  // another one lets that wait for an event recorded here.
  void* stream = nullptr;
  // Keeps the memory; to be dropped once nothing queued reads it any more. It belongs to the
  // decoder, which stands still when too many of its pictures are held: at most kMostHeld at a
  // time.
  std::shared_ptr<const void> owner;

  static constexpr int kMostHeld = 4;
};

}  // namespace vsr
