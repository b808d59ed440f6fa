// A picture's way onto and off the GPU: samples of any PictureFormat to RGB and back, one kernel
// each way.
//
// RGB is nonlinear R'G'B', 0..1; primaries and transfer play no part. Chroma is brought to luma's
// grid by linear interpolation at its own siting, and back by the matching triangle filter; edges
// are repeated. The planes of a view are device pointers, in the order and with the samples that
// vsr/base/picture.hpp tells, aligned to their samples; any pitch will do. On the way in they may
// also stand as a GPU's decoder leaves them (SampleForm): the RGB is the same bit for bit.
// Arithmetic is fp32.
#pragma once

#include "vsr/base/device_picture.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/rgb_view.hpp"

#include <cstdint>

namespace vsr::kernels {

// Into `rgb`, clamped to 0..1. Where `rgb` is larger than the picture, the picture's last column
// and row are repeated to its right and below it.
// Queues and returns. Throws Error(kGpu), or Error(kInternal) for an `rgb` smaller than the
// picture, or a form that cannot be.
void launch_planes_to_rgb(const PictureView& picture,
                          const SampleForm& form,
                          const ColourDescription& colour,
                          const MutableRgbView& rgb,
                          gpu::StreamView stream);

inline void launch_planes_to_rgb(const PictureView& picture,
                                 const ColourDescription& colour,
                                 const MutableRgbView& rgb,
                                 gpu::StreamView stream) {
  launch_planes_to_rgb(picture, {}, colour, rgb, stream);
}

// How a value between two of the format's is rounded.
//
// kOrdered adds, before rounding to the nearest, a threshold within half a step to each side that
// depends on plane, position and frame number alone. Neighbours in space and time get thresholds
// far apart (multiples of the plastic number's powers, modulo 1), which looks like blue noise.
// Values that the format has are never changed by it.
enum class Dither { kNone, kOrdered };

struct RgbToPlanesOptions {
  Dither dither = Dither::kNone;
  std::int64_t frame = 0;  // on the timeline; read by kOrdered alone
};

// From `rgb`, clamped to 0..1, each sample rounded once to the nearest value of the format (half to
// even). All of `rgb` that lies within the picture is read.
//
// If a value of R, G or B is not finite, its samples are some value of the format and *not_finite
// (device memory, may be null) becomes 1; else it stays what it was. So one flag, cleared
// by the caller, may serve many pictures.
//
// Fastest where rows of `rgb` start at multiples of four elements, and rows of the planes at
// multiples of four samples.
// Queues and returns. Throws Error(kGpu), or Error(kInternal) for another size than the picture's.
void launch_rgb_to_planes(const RgbView& rgb,
                          const MutablePictureView& picture,
                          const ColourDescription& colour,
                          const RgbToPlanesOptions& options,
                          int* not_finite,
                          gpu::StreamView stream);

}  // namespace vsr::kernels
