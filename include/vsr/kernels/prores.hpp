// ProRes 422 HQ ("apch") on the device: a picture in the GPU's memory becomes one packet there, so
// that only the packet comes down. Progressive, 4:2:2, 10 bits, no alpha; slices of up to 8
// macroblocks; the quantisation matrices are those of prores_ks for HQ.
//
// Bits: a picture has `bits_per_macroblock` of them for each of its macroblocks (padding of the
// last row and column included), pooled over the picture. All slices get the finest quantiser with
// which the picture fits, as many of them as still fit the next finer one (spread evenly), and none
// a coarser one than brings it down to half of its own share. So what is easy is as good as the
// format allows, and a picture of grain is equally good everywhere. It is a target, not a promise:
// a picture may exceed it that does not fit at the coarsest quantiser (noise of full amplitude).
//
// The same picture and settings give the same bytes, always and on every device.
//
// Needs sm_80 or later. Nothing here allocates or waits.
#pragma once

#include "vsr/gpu/stream.hpp"

#include <cstddef>
#include <cstdint>

namespace vsr {

struct ColourDescription;

namespace kernels {

struct ProresSettings {
  int width = 0;                // luma samples, even
  int height = 0;               // any
  int bits_per_macroblock = 0;  // 64 to kMostProresBits; 0: what ProRes 422 HQ has at this size
  // H.273 code points for the frame header; 2: unspecified.
  int primaries = 2;
  int transfer = 2;
  int matrix = 2;
};

inline constexpr int kMostProresBits = 6000;

// Y, Cb, Cr in device memory: 16 bits a sample of which the low 10 are used (a larger value counts
// as 1023). Rows of width, width / 2 and width / 2 samples; pitches in bytes, even. Fastest where
// every plane and pitch is a multiple of 16 bytes.
struct ProresPicture {
  const std::uint16_t* planes[3] = {nullptr, nullptr, nullptr};
  std::ptrdiff_t pitch_bytes[3] = {0, 0, 0};
};

// Takes primaries, transfer and matrix into the settings.
void set_prores_colour(ProresSettings& settings, const ColourDescription& colour);

// Throws Error(kInternal): a width that is odd or below 2, a height below 1, more slices than the
// format can count (65,535; 8192x8192 has 32,768), bits out of range. The other functions call it.
void check_prores(const ProresSettings& settings);

// Device memory for the encoder's own use between the beginning and the end of a launch's work: one
// for each stream. 256-byte aligned; nothing in it has to be set or kept.
std::size_t prores_workspace_bytes(const ProresSettings& settings);
// No packet is larger.
std::size_t prores_packet_capacity(const ProresSettings& settings);
// What a packet has at most unless the picture exceeds its bits (see above).
std::size_t prores_usual_packet_bytes(const ProresSettings& settings);

// Queues the encoding of `picture` and returns. When the stream has passed it, packet[0,
// *packet_bytes) is a whole frame. `packet`: device memory of prores_packet_capacity();
// `packet_bytes`: 4 bytes of pinned host memory (or of the device). Picture, workspace, packet and
// packet_bytes must stay until then, and the caller who wants the size waits for an event recorded
// after the call. Throws Error(kGpu), Error(kInternal).
void launch_prores_encode(const ProresSettings& settings,
                          const ProresPicture& picture,
                          void* workspace,
                          std::byte* packet,
                          std::uint32_t* packet_bytes,
                          gpu::StreamView stream);

}  // namespace kernels
}  // namespace vsr
