#include "cuda/eight.cuh"
#include "cuda/sampling.cuh"
#include "cuda/start_kernel.cuh"
#include "vsr/kernels/flow_levels.hpp"

namespace vsr::kernels {

namespace {

constexpr int kThreads = 256;

// Where sample `i` of `count` lies on an axis of `from` samples: between `first` and the next, by
// `share`.
struct Line {
  int first;
  int second;
  float share;
};

__device__ inline Line line_of(float place, int from) {
  Line line;
  line.first = min(static_cast<int>(place), from - 1);
  line.second = min(line.first + 1, from - 1);
  line.share = place - static_cast<float>(line.first);
  return line;
}

__device__ inline Line half_pixel(int i, int count, int from) {
  const float scale = static_cast<float>(from) / static_cast<float>(count);
  return line_of(fmaxf((static_cast<float>(i) + 0.5f) * scale - 0.5f, 0.0f), from);
}

__device__ inline Line corners(int i, int count, int from) {
  const float scale =
      count > 1 ? static_cast<float>(from - 1) / static_cast<float>(count - 1) : 0.0f;
  return line_of(static_cast<float>(i) * scale, from);
}

// Bilinear between four values.
template <typename Value>
__device__ float between(const Line& y, const Line& x, const Value& value) {
  const float top = (1.0f - x.share) * value(y.first, x.first) + x.share * value(y.first, x.second);
  const float bottom =
      (1.0f - x.share) * value(y.second, x.first) + x.share * value(y.second, x.second);
  return (1.0f - y.share) * top + y.share * bottom;
}

struct Pixel {
  int image;
  int y;
  int x;
  std::int64_t index;  // within the image
};

// One thread a pixel of [images, height, width]; false beyond the last.
__device__ inline bool pixel_of(int images, int height, int width, Pixel& pixel) {
  const std::int64_t item = blockIdx.x * static_cast<std::int64_t>(kThreads) + threadIdx.x;
  const std::int64_t each = static_cast<std::int64_t>(height) * width;
  if (item >= each * images) return false;
  pixel.image = static_cast<int>(item / each);
  pixel.index = item % each;
  pixel.y = static_cast<int>(pixel.index / width);
  pixel.x = static_cast<int>(pixel.index % width);
  return true;
}

dim3 grid_of(int images, int height, int width) {
  return dim3(blocks_for(static_cast<std::int64_t>(images) * height * width, kThreads));
}

// A block makes 32x32 pixels of the largest level and what becomes of them in the others, down to
// the one pixel of the smallest; a thread the 2x2 pixels of one of the second level.
constexpr int kPyramidTile = 32;
constexpr int kPyramidHalf = kPyramidTile / 2;
static_assert(kPyramidHalf * kPyramidHalf == kThreads && kPyramidTile == 1 << (kFlowLevels - 1));

__device__ inline float4 mean_of(const float4& a,
                                 const float4& b,
                                 const float4& c,
                                 const float4& d) {
  return float4{(a.x + b.x + c.x + d.x) * 0.25f,
                (a.y + b.y + c.y + d.y) * 0.25f,
                (a.z + b.z + c.z + d.z) * 0.25f,
                0};
}

// Grid: (width / 32, height / 32, pictures).
__global__ void flow_pyramid_kernel(const FlowPyramidCall call) {
  follow_previous_kernel();
  __shared__ float4 values[kPyramidHalf * kPyramidHalf];
  const int picture = static_cast<int>(blockIdx.z);
  const int thread = static_cast<int>(threadIdx.x);
  int row = thread / kPyramidHalf;
  int column = thread % kPyramidHalf;
  const auto store = [&](int level, int y, int x, const float4& value) {
    const int width = call.width >> (kFlowLevels - 1 - level);
    reinterpret_cast<float4*>(
        call.levels[level][picture])[static_cast<std::int64_t>(y) * width + x] = value;
  };

  float4 four[4];
  for (int i = 0; i < 4; ++i) {
    const int at_y = static_cast<int>(blockIdx.y) * kPyramidTile + 2 * row + i / 2;
    const int at_x = static_cast<int>(blockIdx.x) * kPyramidTile + 2 * column + i % 2;
    const Line y = half_pixel(at_y, call.height, call.picture_height);
    const Line x = half_pixel(at_x, call.width, call.picture_width);
    float found[3];
    for (int c = 0; c < 3; ++c) {
      const float* plane = call.pictures[picture] +
                           static_cast<std::int64_t>(c) * call.picture_height * call.picture_width;
      const float value = between(y, x, [&](int plane_row, int plane_column) {
        return plane[static_cast<std::int64_t>(plane_row) * call.picture_width + plane_column];
      });
      found[c] = (value - call.mean[c]) / call.deviation[c];
    }
    four[i] = float4{found[0], found[1], found[2], 0};
    store(kFlowLevels - 1, at_y, at_x, four[i]);
  }
  float4 mean = mean_of(four[0], four[1], four[2], four[3]);
  int size = kPyramidHalf;
  bool mine = true;
  for (int level = kFlowLevels - 2;; --level) {
    if (mine) {
      values[row * size + column] = mean;
      store(level,
            static_cast<int>(blockIdx.y) * size + row,
            static_cast<int>(blockIdx.x) * size + column,
            mean);
    }
    if (level == 0) return;
    __syncthreads();
    size /= 2;
    mine = thread < size * size;
    row = thread / size;
    column = thread % size;
    if (mine) {
      const float4* from = values + 2 * row * 2 * size + 2 * column;
      mean = mean_of(from[0], from[1], from[2 * size], from[2 * size + 1]);
    }
    __syncthreads();
  }
}

__global__ void quarter_kernel(const float* in, int height, int width, float* out) {
  follow_previous_kernel();
  Pixel pixel;
  if (!pixel_of(3, height, width, pixel)) return;
  constexpr float kTaps[4] = {-0.09375f, 0.59375f, 0.59375f, -0.09375f};
  const std::int64_t row = static_cast<std::int64_t>(4) * width;
  const float* from =
      in + (static_cast<std::int64_t>(pixel.image) * 4 * height + 4 * pixel.y) * row + 4 * pixel.x;
  float sum = 0;
  for (int y = 0; y < 4; ++y) {
    float line = 0;
    for (int x = 0; x < 4; ++x) line += kTaps[x] * from[y * row + x];
    sum += kTaps[y] * line;
  }
  out[static_cast<std::int64_t>(pixel.image) * height * width + pixel.index] = sum;
}

template <typename T>
__global__ void flow_input_kernel(const FlowInputCall call) {
  follow_previous_kernel();
  Pixel pixel;
  if (!pixel_of(call.images, call.height, call.width, pixel)) return;
  const std::int64_t at =
      static_cast<std::int64_t>(pixel.image) * call.height * call.width + pixel.index;
  float2 flow{0, 0};
  if (call.coarser != nullptr) {
    const int height = call.height / 2;
    const int width = call.width / 2;
    const Line y = corners(pixel.y, call.height, height);
    const Line x = corners(pixel.x, call.width, width);
    const auto* from = reinterpret_cast<const float2*>(call.coarser) +
                       static_cast<std::int64_t>(pixel.image) * height * width;
    flow.x =
        2.0f * between(y, x, [&](int row, int column) { return from[row * width + column].x; });
    flow.y =
        2.0f * between(y, x, [&](int row, int column) { return from[row * width + column].y; });
  }
  reinterpret_cast<float2*>(call.flow)[at] = flow;
  const float4 own = reinterpret_cast<const float4*>(call.levels[pixel.image])[pixel.index];
  const auto* other = reinterpret_cast<const float4*>(call.levels[pixel.image ^ 1]);
  const float y =
      fminf(fmaxf(static_cast<float>(pixel.y) + flow.y, 0.0f), static_cast<float>(call.height - 1));
  const float x =
      fminf(fmaxf(static_cast<float>(pixel.x) + flow.x, 0.0f), static_cast<float>(call.width - 1));
  const Taps taps = taps_at(y, x, call.height, call.width);
  float3 warped{0, 0, 0};
  for (int i = 0; i < 4; ++i) {
    const float4 corner = other[taps.pixel[i]];
    warped.x += taps.weight[i] * corner.x;
    warped.y += taps.weight[i] * corner.y;
    warped.z += taps.weight[i] * corner.z;
  }
  const float values[8] = {own.x, own.y, own.z, warped.x, warped.y, warped.z, flow.x, flow.y};
  store_eight<T>(call.out, at * call.channels, narrow_eight<T>(values));
  if (call.channels > 8) store_eight<T>(call.out, at * call.channels + 8, Eight<T>{});
}

__global__ void flow_output_kernel(const FlowOutputCall call) {
  follow_previous_kernel();
  Pixel pixel;
  if (!pixel_of(call.images, call.out_height, call.out_width, pixel)) return;
  const Line y = half_pixel(pixel.y, call.out_height, call.height);
  const Line x = half_pixel(pixel.x, call.out_width, call.width);
  const auto* from = reinterpret_cast<const float2*>(call.flow) +
                     static_cast<std::int64_t>(pixel.image) * call.height * call.width;
  const float flow_x =
      between(y, x, [&](int row, int column) { return from[row * call.width + column].x; });
  const float flow_y =
      between(y, x, [&](int row, int column) { return from[row * call.width + column].y; });
  reinterpret_cast<float2*>(call.outs[pixel.image])[pixel.index] =
      float2{flow_x * (static_cast<float>(call.out_width) / static_cast<float>(call.width)),
             flow_y * (static_cast<float>(call.out_height) / static_cast<float>(call.height))};
}

template <typename T>
__global__ void picture_map_kernel(const float* picture, int height, int width, void* out) {
  follow_previous_kernel();
  Pixel pixel;
  if (!pixel_of(1, height, width, pixel)) return;
  const std::int64_t plane = static_cast<std::int64_t>(height) * width;
  const float values[8] = {
      picture[pixel.index], picture[plane + pixel.index], picture[2 * plane + pixel.index]};
  store_eight<T>(out, pixel.index * 16, narrow_eight<T>(values));
  store_eight<T>(out, pixel.index * 16 + 8, Eight<T>{});
}

}  // namespace

void launch_flow_pyramid(const FlowPyramidCall& call, gpu::StreamView stream) {
  if (call.count < 1 || call.count > FlowPyramidCall::kMostPictures ||
      call.height % kPyramidTile != 0 || call.width % kPyramidTile != 0)
    refuse("pyramids are of up to 17 pictures, of multiples of 32 pixels");
  start_kernel_early("a pyramid",
                     flow_pyramid_kernel,
                     dim3(static_cast<unsigned>(call.width / kPyramidTile),
                          static_cast<unsigned>(call.height / kPyramidTile),
                          static_cast<unsigned>(call.count)),
                     kThreads,
                     0,
                     stream,
                     call);
}

void launch_quarter(const float* in, int height, int width, float* out, gpu::StreamView stream) {
  start_kernel_early("a quarter picture",
                     quarter_kernel,
                     grid_of(3, height, width),
                     kThreads,
                     0,
                     stream,
                     in,
                     height,
                     width,
                     out);
}

void launch_flow_input(const FlowInputCall& call, ElementType type, gpu::StreamView stream) {
  if (call.images % 2 != 0 || call.images > FlowInputCall::kMostImages)
    refuse("flows go by pairs of images, up to 32");
  if (call.channels != 8 && call.channels != kFlowInputChannels)
    refuse("a flow's input has 8 channels, or 16");
  const dim3 grid = grid_of(call.images, call.height, call.width);
  if (type == ElementType::kHalf) {
    return start_kernel_early(
        "a flow's input", flow_input_kernel<__half>, grid, kThreads, 0, stream, call);
  }
  if (type == ElementType::kBfloat16) {
    return start_kernel_early(
        "a flow's input", flow_input_kernel<__nv_bfloat16>, grid, kThreads, 0, stream, call);
  }
  refuse("flows are found in half or bfloat16");
}

void launch_flow_output(const FlowOutputCall& call, gpu::StreamView stream) {
  start_kernel_early("a flow",
                     flow_output_kernel,
                     grid_of(call.images, call.out_height, call.out_width),
                     kThreads,
                     0,
                     stream,
                     call);
}

void launch_picture_map(const float* picture,
                        int height,
                        int width,
                        void* out,
                        ElementType type,
                        gpu::StreamView stream) {
  const auto start = [&](auto kernel) {
    start_kernel_early("a picture's map",
                       kernel,
                       grid_of(1, height, width),
                       kThreads,
                       0,
                       stream,
                       picture,
                       height,
                       width,
                       out);
  };
  if (type == ElementType::kHalf) return start(picture_map_kernel<__half>);
  if (type == ElementType::kBfloat16) return start(picture_map_kernel<__nv_bfloat16>);
  refuse("maps are half or bfloat16");
}

}  // namespace vsr::kernels
