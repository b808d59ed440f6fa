// Picture samples to RGB and back, on any device, in fp32.
//
// RGB here is nonlinear R'G'B', nominally 0..1, planar (1, 3, height, width). Primaries and
// transfer play no part. Chroma is brought to luma's grid by linear interpolation at its own
// siting, and back by the matching triangle filter; edges are repeated.
#pragma once

#include "vsr/base/picture.hpp"

#include <ATen/core/Tensor.h>

#include <vector>

namespace vsr::model::reference {

// The planes of a picture as they lie in memory: (rows, columns), uint8 for 8 bits, else int16
// whose bits are those of the unsigned sample.
using Planes = std::vector<at::Tensor>;

at::ScalarType sample_type(const PictureFormat& format);

// Not clamped: samples beyond the nominal range and colours outside the RGB cube stay what they
// are.
at::Tensor planes_to_rgb(const Planes& planes,
                         const PictureFormat& format,
                         const ColourDescription& colour);

// Clamps R, G and B to 0..1, rounds each sample once to the nearest value of the format. The
// picture's size is that of `format`.
Planes rgb_to_planes(const at::Tensor& rgb,
                     const PictureFormat& format,
                     const ColourDescription& colour);

}  // namespace vsr::model::reference
