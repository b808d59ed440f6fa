#include "colour_calls.hpp"
#include "cuda/start_kernel.cuh"
#include "cuda/values.cuh"

namespace vsr::kernels {

// Note [RGB to planes]
// A thread makes four samples of luma in a row (of two rows, where chroma has half of them) and
// the chroma beneath; a warp 128 in a row. So a warp reads 512 bytes of each channel at once, and
// writes 256 of 16-bit luma and 128 of halved chroma: whole lines. The halved chroma's filter
// reaches one pixel to either side; those come out of the first cache, where the neighbouring
// thread has just brought them. Bound by memory: 12 bytes in and 4 out for a pixel of 16-bit 4:2:2.

namespace {

constexpr int kAcross = 4;  // pixels of a thread
constexpr int kWarps = 8;

template <typename T>
struct alignas(kAcross * sizeof(T)) Four {
  T values[kAcross];
};

template <typename T>
struct alignas(2 * sizeof(T)) Two {
  T values[2];
};

// A thread's pixels of a row with one more to each side, edges repeated: element i is pixel
// x - 1 + i.
struct Row {
  float red[kAcross + 2];
  float green[kAcross + 2];
  float blue[kAcross + 2];
};

// Where the thread's pixels begin; `whole`: all of them are in the picture.
struct Place {
  int x;
  bool whole;
};

// Clamped to 0..1. The pixels to the sides are other threads' to check.
template <typename T, bool kSides>
__device__ Row
read_row(const RgbToPlanesCall& call, int y, const Place& place, FiniteCheck& check) {
  const T* reds = static_cast<const T*>(call.rgb) + static_cast<std::int64_t>(y) * call.row_stride;
  const T* greens = reds + call.plane_stride;
  const T* blues = greens + call.plane_stride;
  const auto column = [&](int x) { return x < 0 ? 0 : x < call.width ? x : call.width - 1; };
  Row out;
  if (call.vector_in && place.whole) {
    // All three are under way before the first is looked at.
    const auto red = *reinterpret_cast<const Four<T>*>(reds + place.x);
    const auto green = *reinterpret_cast<const Four<T>*>(greens + place.x);
    const auto blue = *reinterpret_cast<const Four<T>*>(blues + place.x);
#pragma unroll
    for (int i = 0; i < kAcross; ++i) {
      out.red[1 + i] = widen(red.values[i]);
      out.green[1 + i] = widen(green.values[i]);
      out.blue[1 + i] = widen(blue.values[i]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kAcross; ++i) {
      const int x = column(place.x + i);
      out.red[1 + i] = widen(reds[x]);
      out.green[1 + i] = widen(greens[x]);
      out.blue[1 + i] = widen(blues[x]);
    }
  }
  if (kSides) {
#pragma unroll
    for (int i = 0; i < kAcross + 2; i += kAcross + 1) {
      const int x = column(place.x - 1 + i);
      out.red[i] = widen(reds[x]);
      out.green[i] = widen(greens[x]);
      out.blue[i] = widen(blues[x]);
    }
  }
  constexpr int kFirst = kSides ? 0 : 1;
#pragma unroll
  for (int i = kFirst; i < kAcross + 2 - kFirst; ++i) {
    if (i > 0 && i <= kAcross) {
      check.add(out.red[i]);
      check.add(out.green[i]);
      check.add(out.blue[i]);
    }
    out.red[i] = to_unit(out.red[i]);
    out.green[i] = to_unit(out.green[i]);
    out.blue[i] = to_unit(out.blue[i]);
  }
  return out;
}

// Within half a step to each side, by plane, position and frame: multiples of 1 / g and 1 / g^2 (g
// the plastic number) modulo 1, folded so that the end of the range meets its beginning. Of 7 bits,
// so that a 14-bit value and its threshold fit together into fp32, and no value that the format has
// leaves its place.
__device__ inline float threshold_at(const RgbToPlanesCall& call, int plane, int y, int x) {
  const std::uint32_t turn = static_cast<std::uint32_t>(x) * 0xC13FA9A9u +
                             static_cast<std::uint32_t>(y) * 0x91E10DA5u +
                             static_cast<std::uint32_t>(plane) * 0x55555555u + call.dither_phase;
  const std::uint32_t folded = turn >> 31 != 0 ? ~turn : turn;
  return static_cast<float>(folded >> 24) * (1.0f / 128) - 127.0f / 256;
}

// values * scale + offset as samples x, x + 1, ... of row y, as many as the plane has.
template <typename Sample, int kCount>
__device__ void write(const RgbToPlanesCall& call,
                      int plane,
                      int y,
                      int x,
                      int width,
                      const float* values,
                      float scale,
                      float offset) {
  Sample samples[kCount];
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    float value = fmaf(values[i], scale, offset);
    if (call.dither) value += threshold_at(call, plane, y, x + i);
    samples[i] = static_cast<Sample>(fminf(fmaxf(rintf(value), 0.0f), call.most));
  }
  auto* row = reinterpret_cast<Sample*>(static_cast<unsigned char*>(call.planes[plane]) +
                                        static_cast<std::int64_t>(y) * call.pitch_bytes[plane]);
  if (call.vector_out && x + kCount <= width) {
    if constexpr (kCount == kAcross) {
      *reinterpret_cast<Four<Sample>*>(row + x) = {samples[0], samples[1], samples[2], samples[3]};
    } else {
      *reinterpret_cast<Two<Sample>*>(row + x) = {samples[0], samples[1]};
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    if (x + i < width) row[x + i] = samples[i];
  }
}

// In place of blue and red: B - Y and R - Y. In place of green: Y.
template <bool kSides>
__device__ void to_differences(const RgbToPlanesCall& call, Row& row) {
  constexpr int kFirst = kSides ? 0 : 1;
#pragma unroll
  for (int i = kFirst; i < kAcross + 2 - kFirst; ++i) {
    const float y = row.red[i] * call.red + row.green[i] * call.green + row.blue[i] * call.blue;
    row.red[i] -= y;
    row.blue[i] -= y;
    row.green[i] = y;
  }
}

// The two halved samples of a row, times `share`, added to `sums`.
__device__ inline void add_halved(const RgbToPlanesCall& call,
                                  const float (&values)[kAcross + 2],
                                  float share,
                                  float (&sums)[2]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum = 0.0f;
#pragma unroll
    for (int tap = 0; tap < 4; ++tap) sum += values[2 * i + tap] * call.taps_across[tap];
    sums[i] += sum * share;
  }
}

template <typename Sample>
__device__ void write_luma(
    const RgbToPlanesCall& call, int plane, int y, int x, const float (&values)[kAcross + 2]) {
  write<Sample, kAcross>(
      call, plane, y, x, call.width, values + 1, call.luma_scale, call.luma_offset);
}

template <typename Sample>
__device__ void write_halved(
    const RgbToPlanesCall& call, int y, int x, const float (&u)[2], const float (&v)[2]) {
  write<Sample, 2>(call, 1, y, x / 2, call.chroma_width, u, call.u_scale, call.chroma_offset);
  write<Sample, 2>(call, 2, y, x / 2, call.chroma_width, v, call.v_scale, call.chroma_offset);
}

template <typename T, typename Sample>
__device__ void make_420(const RgbToPlanesCall& call,
                         int pair,
                         const Place& place,
                         FiniteCheck& check) {
  float u[2] = {};
  float v[2] = {};
#pragma unroll
  for (int tap = 0; tap < 4; ++tap) {
    const bool own = tap == 1 || tap == 2;
    // At most sitings the triangle has three rows.
    if (!own && call.taps_down[tap] == 0.0f) continue;
    const int wanted = 2 * pair + tap - 1;
    const int y = wanted < 0 ? 0 : wanted < call.height ? wanted : call.height - 1;
    Row row = read_row<T, true>(call, y, place, check);
    to_differences<true>(call, row);
    if (own && wanted < call.height) write_luma<Sample>(call, 0, y, place.x, row.green);
    add_halved(call, row.blue, call.taps_down[tap], u);
    add_halved(call, row.red, call.taps_down[tap], v);
  }
  write_halved<Sample>(call, pair, place.x, u, v);
}

template <typename T, typename Sample, PlaneLayout kLayout>
__device__ void make_row(const RgbToPlanesCall& call,
                         int y,
                         const Place& place,
                         FiniteCheck& check) {
  constexpr bool kSides = kLayout == PlaneLayout::k422;
  Row row = read_row<T, kSides>(call, y, place, check);
  if constexpr (kLayout == PlaneLayout::kRgb) {
    write_luma<Sample>(call, 0, y, place.x, row.red);
    write_luma<Sample>(call, 1, y, place.x, row.green);
    write_luma<Sample>(call, 2, y, place.x, row.blue);
    return;
  }
  to_differences<kSides>(call, row);
  write_luma<Sample>(call, 0, y, place.x, row.green);
  if constexpr (kLayout == PlaneLayout::k444) {
    write<Sample, kAcross>(
        call, 1, y, place.x, call.width, row.blue + 1, call.u_scale, call.chroma_offset);
    write<Sample, kAcross>(
        call, 2, y, place.x, call.width, row.red + 1, call.v_scale, call.chroma_offset);
  }
  if constexpr (kLayout == PlaneLayout::k422) {
    float u[2] = {};
    float v[2] = {};
    add_halved(call, row.blue, 1.0f, u);
    add_halved(call, row.red, 1.0f, v);
    write_halved<Sample>(call, y, place.x, u, v);
  }
}

// rgb: T [3, height, width]; planes: Sample, as the layout has them. See Note [RGB to planes].
// Grid: (across, rows or pairs of rows).
template <typename T, typename Sample, PlaneLayout kLayout>
__global__ void __launch_bounds__(kWarp* kWarps) rgb_to_planes_kernel(const RgbToPlanesCall call) {
  const int thread = static_cast<int>(threadIdx.x);
  const int x = (static_cast<int>(blockIdx.x) * kWarp + thread % kWarp) * kAcross;
  const int y = static_cast<int>(blockIdx.y) * kWarps + thread / kWarp;
  const int rows = kLayout == PlaneLayout::k420 ? (call.height + 1) / 2 : call.height;
  if (x >= call.width || y >= rows) return;
  const Place place{x, x + kAcross <= call.width};
  FiniteCheck check;
  if constexpr (kLayout == PlaneLayout::k420) {
    make_420<T, Sample>(call, y, place, check);
  } else {
    make_row<T, Sample, kLayout>(call, y, place, check);
  }
  if (check.failed() && call.not_finite != nullptr) atomicOr(call.not_finite, 1);
}

template <typename T, typename Sample, PlaneLayout kLayout>
void start(const RgbToPlanesCall& call, gpu::StreamView stream) {
  const int rows = kLayout == PlaneLayout::k420 ? (call.height + 1) / 2 : call.height;
  start_kernel("a conversion from RGB",
               rgb_to_planes_kernel<T, Sample, kLayout>,
               dim3(blocks_over(call.width, kWarp * kAcross), blocks_over(rows, kWarps)),
               kWarp * kWarps,
               0,
               stream,
               call);
}

template <typename T, typename Sample>
void start_layout(const RgbToPlanesCall& call, PlaneLayout layout, gpu::StreamView stream) {
  switch (layout) {
    case PlaneLayout::kGray:
      return start<T, Sample, PlaneLayout::kGray>(call, stream);
    case PlaneLayout::kRgb:
      return start<T, Sample, PlaneLayout::kRgb>(call, stream);
    case PlaneLayout::k444:
      return start<T, Sample, PlaneLayout::k444>(call, stream);
    case PlaneLayout::k422:
      return start<T, Sample, PlaneLayout::k422>(call, stream);
    case PlaneLayout::k420:
      return start<T, Sample, PlaneLayout::k420>(call, stream);
  }
}

template <typename T>
void start_samples(const RgbToPlanesCall& call,
                   PlaneLayout layout,
                   int sample_bytes,
                   gpu::StreamView stream) {
  if (sample_bytes == 1) return start_layout<T, std::uint8_t>(call, layout, stream);
  return start_layout<T, std::uint16_t>(call, layout, stream);
}

}  // namespace

void start_rgb_to_planes(const RgbToPlanesCall& call,
                         ElementType type,
                         PlaneLayout layout,
                         int sample_bytes,
                         gpu::StreamView stream) {
  if (type == ElementType::kFloat) return start_samples<float>(call, layout, sample_bytes, stream);
  if (type == ElementType::kHalf) return start_samples<__half>(call, layout, sample_bytes, stream);
  refuse("colours are converted from float or half");
}

}  // namespace vsr::kernels
