#include "vsr/kernels/colour.hpp"

#include "colour_calls.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/kernels/colour_coefficients.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vsr::kernels {

namespace {

PlaneLayout layout_of(const PictureFormat& format) {
  if (format.model == ColourModel::kGray) return PlaneLayout::kGray;
  if (format.model == ColourModel::kRgb) return PlaneLayout::kRgb;
  switch (format.subsampling) {
    case ChromaSubsampling::k444:
      return PlaneLayout::k444;
    case ChromaSubsampling::k422:
      return PlaneLayout::k422;
    case ChromaSubsampling::k420:
      return PlaneLayout::k420;
  }
  throw Error(ErrorCode::kInternal, "unknown chroma subsampling");
}

void check_format(const PictureFormat& format) {
  if (format.width < 1 || format.height < 1 || format.bit_depth < 8 || format.bit_depth > 16) {
    throw Error(
        ErrorCode::kInternal,
        vsr::format(
            "no colour conversion of {} with {} bits", to_string(format), format.bit_depth));
  }
}

float narrow(double value) { return static_cast<float>(value); }

Neighbours neighbours_of(bool halved, double offset) {
  const ChromaNeighbours shares = chroma_neighbours(offset);
  return {halved, narrow(shares.even), narrow(shares.odd)};
}

void check_form(const SampleForm& form, const PictureFormat& format) {
  const bool pairs = !form.semi_planar || format.model == ColourModel::kYuv;
  const int bits = 8 * bytes_per_sample(format);
  if (pairs && form.shift_bits >= 0 && form.shift_bits + format.bit_depth <= bits) return;
  throw Error(ErrorCode::kInternal,
              vsr::format("no pictures of {}{}, {} bits up",
                          to_string(format),
                          form.semi_planar ? " with chroma in turn" : "",
                          form.shift_bits));
}

bool multiple(const void* pointer, std::int64_t stride_bytes, std::int64_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % static_cast<std::uintptr_t>(bytes) == 0 &&
         stride_bytes % bytes == 0;
}

}  // namespace

void launch_planes_to_rgb(const PictureView& picture,
                          const SampleForm& form,
                          const ColourDescription& colour,
                          const MutableRgbView& rgb,
                          gpu::StreamView stream) {
  const PictureFormat& format = picture.format;
  check_format(format);
  check_form(form, format);
  if (rgb.width < format.width || rgb.height < format.height) {
    throw Error(
        ErrorCode::kInternal,
        vsr::format("no room for {} in an RGB of {}x{}", to_string(format), rgb.width, rgb.height));
  }
  PlanesToRgbCall call;
  for (int i = 0; i < plane_count(format); ++i) {
    call.planes[i] = picture.planes[static_cast<std::size_t>(i)];
    call.pitch_bytes[i] = picture.pitch_bytes[static_cast<std::size_t>(i)];
  }
  if (form.semi_planar) {
    call.planes[2] = picture.planes[1] + bytes_per_sample(format);
    call.pitch_bytes[2] = picture.pitch_bytes[1];
    call.chroma_step = 2;
  }
  call.shift_bits = form.shift_bits;
  call.width = format.width;
  call.height = format.height;
  const Quantiser luma = quantiser_of(format.bit_depth, colour.full_range, false);
  call.luma_offset = narrow(luma.offset);
  call.luma_gain = narrow(1 / luma.scale);
  if (format.model == ColourModel::kYuv) {
    const Quantiser chroma = quantiser_of(format.bit_depth, colour.full_range, true);
    const LumaWeights k = luma_weights(colour.matrix);
    const SitingOffset siting = siting_offset(colour.siting);
    call.chroma_width = plane_width(format, 1);
    call.chroma_height = plane_height(format, 1);
    call.chroma_offset = narrow(chroma.offset);
    call.red_of_v = narrow(2 * (1 - k.kr) / chroma.scale);
    call.green_of_u = narrow(-2 * k.kb * (1 - k.kb) / k.kg() / chroma.scale);
    call.green_of_v = narrow(-2 * k.kr * (1 - k.kr) / k.kg() / chroma.scale);
    call.blue_of_u = narrow(2 * (1 - k.kb) / chroma.scale);
    call.across = neighbours_of(halved_across(format), siting.x);
    call.down = neighbours_of(halved_down(format), siting.y);
  }
  call.rgb = rgb.data;
  call.row_stride = rgb.row_stride_elems;
  call.plane_stride = rgb.plane_stride_elems;
  call.rgb_width = rgb.width;
  call.rgb_height = rgb.height;
  start_planes_to_rgb(call, layout_of(format), bytes_per_sample(format), stream);
}

void launch_rgb_to_planes(const RgbView& rgb,
                          const MutablePictureView& picture,
                          const ColourDescription& colour,
                          const RgbToPlanesOptions& options,
                          int* not_finite,
                          gpu::StreamView stream) {
  const PictureFormat& format = picture.format;
  check_format(format);
  if (rgb.width != format.width || rgb.height != format.height) {
    throw Error(
        ErrorCode::kInternal,
        vsr::format("an RGB of {}x{} for a {} picture", rgb.width, rgb.height, to_string(format)));
  }
  RgbToPlanesCall call;
  call.rgb = rgb.data;
  call.row_stride = rgb.row_stride_elems;
  call.plane_stride = rgb.plane_stride_elems;
  call.width = format.width;
  call.height = format.height;

  const LumaWeights k = luma_weights(colour.matrix);
  call.red = narrow(k.kr);
  call.green = narrow(k.kg());
  call.blue = narrow(k.kb);
  const Quantiser luma = quantiser_of(format.bit_depth, colour.full_range, false);
  call.luma_scale = narrow(luma.scale);
  call.luma_offset = narrow(luma.offset);
  const Quantiser chroma = quantiser_of(format.bit_depth, colour.full_range, true);
  call.u_scale = narrow(chroma.scale / (2 * (1 - k.kb)));
  call.v_scale = narrow(chroma.scale / (2 * (1 - k.kr)));
  call.chroma_offset = narrow(chroma.offset);
  call.most = static_cast<float>((1 << format.bit_depth) - 1);
  const SitingOffset siting = siting_offset(colour.siting);
  const std::array<double, 4> across = chroma_taps(siting.x);
  const std::array<double, 4> down = chroma_taps(siting.y);
  for (std::size_t i = 0; i < 4; ++i) {
    call.taps_across[i] = narrow(across[i]);
    call.taps_down[i] = narrow(down[i]);
  }

  const int sample_bytes = bytes_per_sample(format);
  const std::int64_t element_bytes = rgb.type == ElementType::kFloat ? 4 : 2;
  call.vector_in = multiple(rgb.data, rgb.row_stride_elems * element_bytes, 4 * element_bytes) &&
                   rgb.plane_stride_elems % 4 == 0;
  call.vector_out = true;
  for (int i = 0; i < plane_count(format); ++i) {
    const auto plane = static_cast<std::size_t>(i);
    call.planes[i] = picture.planes[plane];
    call.pitch_bytes[i] = picture.pitch_bytes[plane];
    // Halved chroma has two samples for luma's four.
    const int samples = i > 0 && halved_across(format) ? 2 : 4;
    call.vector_out =
        call.vector_out &&
        multiple(picture.planes[plane], picture.pitch_bytes[plane], samples * sample_bytes);
  }
  call.chroma_width = plane_count(format) > 1 ? plane_width(format, 1) : 0;
  call.dither = options.dither == Dither::kOrdered;
  // The golden ratio, modulo 1 in 32 bits: successive frames are far apart.
  call.dither_phase = static_cast<std::uint32_t>(options.frame) * 0x9E3779B9u;
  call.not_finite = not_finite;
  start_rgb_to_planes(call, rgb.type, layout_of(format), sample_bytes, stream);
}

}  // namespace vsr::kernels
