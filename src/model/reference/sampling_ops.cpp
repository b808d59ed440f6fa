// The operations that torch has not got, on our own kernels: flow warp and deformable convolution.
#include "ops.hpp"
#include "vsr/base/error.hpp"
#include "vsr/kernels/deform_columns.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

namespace vsr::model::reference {

namespace {

// Bytes of columns that one thread makes and multiplies at a time: they stay in its second-level
// cache.
constexpr std::int64_t kTileBytes = std::int64_t{1} << 20;
// Bytes of heads and columns in flight: for the last-level cache on the CPU, on a GPU for memory.
constexpr std::int64_t kHostBandBytes = std::int64_t{8} << 20;
constexpr std::int64_t kDeviceBandBytes = std::int64_t{512} << 20;

kernels::ElementType element_type(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kHalf) return kernels::ElementType::kHalf;
  if (tensor.scalar_type() == at::kBFloat16) return kernels::ElementType::kBfloat16;
  return kernels::ElementType::kFloat;
}

at::Tensor channels_last(const at::Tensor& tensor) {
  return tensor.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor empty_map(const at::Tensor& like,
                     std::int64_t batch,
                     std::int64_t channels,
                     std::int64_t height,
                     std::int64_t width) {
  return at::empty({batch, channels, height, width},
                   like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

// The maps of one deformable convolution, all channels-last.
struct Maps {
  at::Tensor x1;
  at::Tensor x2;
  at::Tensor out;   // (1, c, h, w)
  at::Tensor flat;  // out as [h * w, c]
  kernels::DeformShape shape;

  Maps(const at::Tensor& first, const at::Tensor& second)
      : x1(channels_last(first)),
        x2(channels_last(second)),
        out(empty_map(x1, 1, x1.size(1), x1.size(2), x1.size(3))),
        flat(out.permute({0, 2, 3, 1}).view({-1, x1.size(1)})),
        shape{static_cast<int>(x1.size(2)),
              static_cast<int>(x1.size(3)),
              static_cast<int>(x1.size(1))} {}
};

// Pixels [begin, end) of the output on the CPU: columns tile by tile, then a matrix product each.
// fill(pixels, columns) makes the columns of a range. The product is made as a 1x1 convolution:
// MKL's, called within a parallel region, still splits its sums by the number of threads.
template <typename Fill>
void multiply_tiles(const DeformConv& deform,
                    const Maps& maps,
                    kernels::PixelRange pixels,
                    const Fill& fill) {
  const std::int64_t depth = deform.product.weight.size(1);
  const std::int64_t count = pixels.end - pixels.begin;
  const std::int64_t tile =
      std::min(kTileBytes / (depth * static_cast<std::int64_t>(sizeof(float))), count);
  const std::int64_t tiles = (count + tile - 1) / tile;
  at::parallel_for(0, tiles, 1, [&](std::int64_t first, std::int64_t last) {
    const c10::InferenceMode inference;  // is the thread's, and this may be a pool's thread
    const at::Tensor columns = at::empty({1, 1, tile, depth}, maps.x1.options());
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t begin = pixels.begin + i * tile;
      const std::int64_t end = std::min(begin + tile, pixels.end);
      fill(kernels::PixelRange{begin, end}, columns.data_ptr<float>());
      const at::Tensor map = columns.narrow(2, 0, end - begin).permute({0, 3, 1, 2});
      const at::Tensor product = conv(deform.product, map, Activation::kNone);
      maps.flat.narrow(0, begin, end - begin)
          .copy_(product.permute({0, 2, 3, 1}).view({end - begin, -1}));
    }
  });
}

// The same on a GPU, where fill() gets device memory.
template <typename Fill>
void multiply_whole(const DeformConv& deform,
                    const Maps& maps,
                    kernels::PixelRange pixels,
                    const Fill& fill) {
  const at::Tensor matrix = deform.product.weight.flatten(1);
  const at::Tensor columns =
      at::empty({pixels.end - pixels.begin, matrix.size(1)}, maps.x1.options());
  fill(pixels, columns.data_ptr());
  at::Tensor out = maps.flat.narrow(0, pixels.begin, pixels.end - pixels.begin);
  at::addmm_out(out, deform.product.bias, columns, matrix.t());
}

std::int64_t band_rows(const Maps& maps, std::int64_t columns_by_pixel) {
  const std::int64_t limit = maps.x1.is_cuda() ? kDeviceBandBytes : kHostBandBytes;
  // On the CPU columns are held by tile, not by band.
  const std::int64_t values =
      kernels::kDeformHeadChannels + (maps.x1.is_cuda() ? columns_by_pixel : 0);
  const std::int64_t row_bytes =
      values * static_cast<std::int64_t>(maps.x1.element_size()) * maps.shape.width;
  return std::max<std::int64_t>(limit / row_bytes, 1);
}

}  // namespace

at::Tensor flow_warp(const at::Tensor& input, const at::Tensor& flow, kernels::WarpBorder border) {
  const at::Tensor map = channels_last(input);
  const at::Tensor displacement = channels_last(flow);
  const at::Tensor out = empty_map(map, map.size(0), map.size(1), map.size(2), map.size(3));
  const kernels::WarpShape shape{.batch = static_cast<int>(map.size(0)),
                                 .height = static_cast<int>(map.size(2)),
                                 .width = static_cast<int>(map.size(3)),
                                 .channels = static_cast<int>(map.size(1))};
  if (map.is_cuda()) {
    kernels::launch_flow_warp(shape,
                              border,
                              element_type(map),
                              map.data_ptr(),
                              displacement.data_ptr<float>(),
                              out.data_ptr(),
                              view_of(current_stream(map.device())));
    return out;
  }
  const float* from = map.data_ptr<float>();
  const float* flows = displacement.data_ptr<float>();
  float* to = out.data_ptr<float>();
  const std::int64_t rows = std::int64_t{shape.batch} * shape.height;
  at::parallel_for(0, rows, 4, [&](std::int64_t begin, std::int64_t end) {
    kernels::flow_warp_rows(
        shape, border, from, flows, to, static_cast<int>(begin), static_cast<int>(end));
  });
  return out;
}

at::Tensor align(const DeformConv& deform,
                 const Conv& heads,
                 const at::Tensor& hidden,
                 const at::Tensor& x1,
                 const at::Tensor& x2,
                 const at::Tensor& flow1,
                 const at::Tensor& flow2) {
  const Maps maps(x1, x2);
  const at::Tensor first_flow = channels_last(flow1);
  const at::Tensor second_flow = channels_last(flow2);
  const std::int64_t step = band_rows(maps, deform.product.weight.size(1));
  const std::int64_t width = maps.shape.width;
  for (std::int64_t row = 0; row < maps.shape.height; row += step) {
    const std::int64_t end_row = std::min<std::int64_t>(row + step, maps.shape.height);
    const Band made = conv(heads, band_of(hidden, row - 1, end_row + 1), Activation::kNone);
    const at::Tensor raw = channels_last(made.rows);
    const kernels::PixelRange pixels{row * width, end_row * width};
    if (maps.x1.is_cuda()) {
      multiply_whole(deform, maps, pixels, [&](const kernels::PixelRange& range, void* columns) {
        kernels::launch_align_columns({.shape = maps.shape,
                                       .x1 = maps.x1.data_ptr(),
                                       .x2 = maps.x2.data_ptr(),
                                       .heads = raw.data_ptr(),
                                       .flow1 = first_flow.data_ptr<float>(),
                                       .flow2 = second_flow.data_ptr<float>(),
                                       .columns = columns},
                                      range,
                                      element_type(maps.x1),
                                      view_of(current_stream(maps.x1.device())));
      });
      continue;
    }
    multiply_tiles(deform, maps, pixels, [&](const kernels::PixelRange& range, float* columns) {
      const std::int64_t skipped = range.begin - pixels.begin;
      kernels::align_columns(
          {.shape = maps.shape,
           .x1 = maps.x1.data_ptr<float>(),
           .x2 = maps.x2.data_ptr<float>(),
           .heads = raw.data_ptr<float>() + skipped * kernels::kDeformHeadChannels,
           .flow1 = first_flow.data_ptr<float>(),
           .flow2 = second_flow.data_ptr<float>(),
           .columns = columns},
          range);
    });
  }
  return maps.out;
}

at::Tensor deform_conv(const DeformConv& deform,
                       const at::Tensor& x1,
                       const at::Tensor& x2,
                       const at::Tensor& offsets,
                       const at::Tensor& masks) {
  const Maps maps(x1, x2);
  const at::Tensor offsets_last = channels_last(offsets);
  const at::Tensor masks_last = channels_last(masks);
  const float* offset = offsets_last.data_ptr<float>();
  const float* mask = masks_last.data_ptr<float>();
  const kernels::PixelRange all{0, static_cast<std::int64_t>(maps.shape.height) * maps.shape.width};
  if (maps.x1.is_cuda()) {
    multiply_whole(deform, maps, all, [&](const kernels::PixelRange& range, void* columns) {
      kernels::launch_deform_columns({.shape = maps.shape,
                                      .x1 = maps.x1.data_ptr(),
                                      .x2 = maps.x2.data_ptr(),
                                      .offsets = offset,
                                      .masks = mask,
                                      .columns = columns},
                                     range,
                                     element_type(maps.x1),
                                     view_of(current_stream(maps.x1.device())));
    });
    return maps.out;
  }
  multiply_tiles(deform, maps, all, [&](const kernels::PixelRange& range, float* columns) {
    kernels::deform_columns({.shape = maps.shape,
                             .x1 = maps.x1.data_ptr<float>(),
                             .x2 = maps.x2.data_ptr<float>(),
                             .offsets = offset + range.begin * 2 * kernels::kDeformSamples,
                             .masks = mask + range.begin * kernels::kDeformSamples,
                             .columns = columns},
                            range);
  });
  return maps.out;
}

}  // namespace vsr::model::reference
