// What the colour kernels are started with: colour.cpp works it out of formats and descriptions,
// the .cu files know nothing but these numbers. Plain C++17 for their sake.
#pragma once

#include "vsr/gpu/stream.hpp"
#include "vsr/kernels/element_type.hpp"

#include <cstdint>

namespace vsr::kernels {

enum class PlaneLayout { kGray, kRgb, k444, k422, k420 };

// How much of its neighbour a luma position takes: of the one before at even, of the one after at
// odd positions.
struct Neighbours {
  bool halved = false;
  float even = 0;
  float odd = 0;
};

struct PlanesToRgbCall {
  const void* planes[3] = {};
  std::int64_t pitch_bytes[3] = {};
  int width = 0;
  int height = 0;
  int chroma_width = 0;
  int chroma_height = 0;
  int chroma_step = 1;  // samples from one of a chroma plane to the next
  int shift_bits = 0;   // samples stand this far above the low bits

  // R, G, B or Y = (sample - luma_offset) * luma_gain; the others take (sample - chroma_offset).
  float luma_offset = 0;
  float luma_gain = 1;
  float chroma_offset = 0;
  float red_of_v = 0;
  float green_of_u = 0;
  float green_of_v = 0;
  float blue_of_u = 0;
  Neighbours across;
  Neighbours down;

  float* rgb = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t plane_stride = 0;
  int rgb_width = 0;
  int rgb_height = 0;
};

struct RgbToPlanesCall {
  const void* rgb = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t plane_stride = 0;
  int width = 0;
  int height = 0;

  // Y = red R + green G + blue B, its sample Y * luma_scale + luma_offset (R, G, B alike);
  // chroma's: (B - Y) * u_scale + chroma_offset, (R - Y) * v_scale + chroma_offset.
  float red = 0;
  float green = 0;
  float blue = 0;
  float luma_scale = 1;
  float luma_offset = 0;
  float u_scale = 1;
  float v_scale = 1;
  float chroma_offset = 0;
  float most = 255;  // the greatest sample
  float taps_across[4] = {};
  float taps_down[4] = {};

  void* planes[3] = {};
  std::int64_t pitch_bytes[3] = {};
  int chroma_width = 0;

  // Whether four elements, or samples, at a multiple of four may be moved at once.
  bool vector_in = false;
  bool vector_out = false;
  bool dither = false;
  std::uint32_t dither_phase = 0;  // of the frame
  int* not_finite = nullptr;
};

// A layout's planes of 1 or 2 bytes a sample.
void start_planes_to_rgb(const PlanesToRgbCall& call,
                         PlaneLayout layout,
                         int sample_bytes,
                         gpu::StreamView stream);
void start_rgb_to_planes(const RgbToPlanesCall& call,
                         ElementType type,
                         PlaneLayout layout,
                         int sample_bytes,
                         gpu::StreamView stream);

}  // namespace vsr::kernels
