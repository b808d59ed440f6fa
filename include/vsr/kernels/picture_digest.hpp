// What an upscaled picture is measured by, taken where the picture lies: itself averaged down to a
// small size, and pairs of rows of luma as they are. So a seventh of a picture comes down from a
// GPU beside packets that need not be decoded, and the averaging is not the host's. A digest made
// on a GPU is the host's own, byte for byte (docs/quality.md).
//
// In memory: each plane's averages, [height, width] of 16 bits, chroma at luma's size as its siting
// has it; then rows 2i and 2i + 1 for pair i, [2 pairs, picture.width] in the picture's own
// samples, of luma, or of each plane of RGB. An average counts 1 / 2^(16 - bits) of a sample's
// steps: what it is rounded by is far below what is measured.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/resampling.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vsr::kernels {

// Plain value. All of a digest that depends on no sample.
struct DigestShape {
  PictureFormat picture;     // that it is made of
  ColourDescription colour;  // its siting counts here, the rest is for who reads the digest
  int width = 0;             // of the small picture
  int height = 0;
};

// For a picture to be held against its source: at the smaller size of both.
DigestShape digest_shape(const PictureFormat& source,
                         const PictureFormat& picture,
                         const ColourDescription& colour);

std::size_t digest_bytes(const DigestShape& shape);

// Pairs of neighbouring rows in a picture of that height, evenly spread; the first row of one.
int digest_pairs(int height);
int digest_row(int pair, int height);

// [height, width] in steps of which digest_unit() make a sample's.
const std::uint16_t* digest_plane(const DigestShape& shape, const std::byte* digest, int plane);
float digest_unit(const DigestShape& shape);
// The rows as a picture: gray or RGB, of 2 * digest_pairs() rows.
PictureView digest_rows(const DigestShape& shape, const std::byte* digest);

// On the host. `digest`: digest_bytes(), as memory from new is aligned.
void make_digest(const PictureView& picture, const DigestShape& shape, std::byte* digest);

// What samples are made of, of luma (and RGB) and of chroma.
std::array<PlaneAxes, 2> digest_axes(const DigestShape& shape);

// The same in device memory.
struct DevicePlaneAxes {
  DeviceAxis across;
  DeviceAxis down;
};

// `picture`: planes in device memory, aligned to their samples. `digest`: device memory.
// Queues one kernel and returns. Throws Error(kGpu), or Error(kInternal) for another format than
// the shape's or a ratio beyond some hundreds.
void launch_digest(const PictureView& picture,
                   const DigestShape& shape,
                   const std::array<DevicePlaneAxes, 2>& axes,
                   std::byte* digest,
                   gpu::StreamView stream);

}  // namespace vsr::kernels
