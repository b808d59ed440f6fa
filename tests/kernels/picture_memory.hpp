// Pictures in the memory that kernels work on, with room around their rows that must stay as it
// was.
#pragma once

#include "colour_reference.hpp"
#include "kernel_memory.hpp"
#include "sampling_reference.hpp"
#include "vsr/base/device_picture.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/kernels/rgb_view.hpp"

#include <cstddef>
#include <random>
#include <vector>

namespace vsr::kernels::test {

inline constexpr std::byte kUntouched{0xA5};

// Planes one after another. `pitch_unit`: what every row's bytes are a multiple of; `extra_bytes`
// beyond that, even.
class PlanesOnHost {
 public:
  PlanesOnHost(const PictureFormat& format, std::ptrdiff_t pitch_unit, std::ptrdiff_t extra_bytes)
      : format_(format) {
    std::ptrdiff_t end = 0;
    for (int i = 0; i < plane_count(format); ++i) {
      const auto plane = static_cast<std::size_t>(i);
      const std::ptrdiff_t row = std::ptrdiff_t{plane_width(format, i)} * bytes_per_sample(format);
      pitch_bytes_[plane] = (row + pitch_unit - 1) / pitch_unit * pitch_unit + extra_bytes;
      begin_[plane] = (end + 255) / 256 * 256;
      end = begin_[plane] + pitch_bytes_[plane] * plane_height(format, i);
    }
    bytes_.assign(static_cast<std::size_t>(end), kUntouched);
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }

  void set_bytes(std::vector<std::byte> bytes) { bytes_ = std::move(bytes); }

  // Of a copy in other memory.
  MutablePictureView view(void* memory) const {
    MutablePictureView made{.format = format_};
    for (std::size_t i = 0; i < static_cast<std::size_t>(plane_count(format_)); ++i) {
      made.planes[i] = static_cast<std::byte*>(memory) + begin_[i];
      made.pitch_bytes[i] = pitch_bytes_[i];
    }
    return made;
  }

  MutablePictureView view() { return view(bytes_.data()); }

  void fill(unsigned seed) {
    std::mt19937 engine(seed);
    std::uniform_int_distribution<int> samples(0, (1 << format_.bit_depth) - 1);
    for_each([&](int plane, int y, int x) { set_sample(view(), plane, y, x, samples(engine)); });
  }

  // Calls visit(plane, y, x) for all samples.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (int plane = 0; plane < plane_count(format_); ++plane) {
      for (int y = 0; y < plane_height(format_, plane); ++y) {
        for (int x = 0; x < plane_width(format_, plane); ++x) visit(plane, y, x);
      }
    }
  }

  // Whether all that is no sample is as it was.
  bool untouched_around() {
    std::vector<std::byte> rest = bytes_;
    const MutablePictureView samples = view(rest.data());
    const int untouched =
        std::to_integer<int>(kUntouched) * (bytes_per_sample(format_) == 1 ? 1 : 257);
    for_each([&](int plane, int y, int x) { set_sample(samples, plane, y, x, untouched); });
    return rest == std::vector<std::byte>(rest.size(), kUntouched);
  }

 private:
  PictureFormat format_;
  std::array<std::ptrdiff_t, 3> begin_{};
  std::array<std::ptrdiff_t, 3> pitch_bytes_{};
  std::vector<std::byte> bytes_;
};

// The same samples laid out as a GPU's decoder leaves them; rows longer by some bytes. All that is
// no sample, the bits under a sample among it, is set.
class FormOnHost {
 public:
  FormOnHost(const PictureView& picture, const SampleForm& form, std::ptrdiff_t extra_bytes)
      : format_(picture.format) {
    const int bytes = bytes_per_sample(format_);
    std::ptrdiff_t end = 0;
    for (int plane = 0; plane < (form.semi_planar ? 2 : plane_count(format_)); ++plane) {
      const auto i = static_cast<std::size_t>(plane);
      const int samples = plane_width(format_, plane) * (form.semi_planar && plane == 1 ? 2 : 1);
      begin_[i] = end;
      pitch_bytes_[i] = std::ptrdiff_t{samples} * bytes + extra_bytes;
      end += pitch_bytes_[i] * plane_height(format_, plane);
    }
    bytes_.assign(static_cast<std::size_t>(end), std::byte{0xFF});
    const int below = (1 << form.shift_bits) - 1;
    for (int plane = 0; plane < plane_count(format_); ++plane) {
      const bool in_turn = form.semi_planar && plane > 0;
      MutablePictureView to{.format = format_};
      const std::size_t at = in_turn ? 1 : static_cast<std::size_t>(plane);
      to.planes[0] = bytes_.data() + begin_[at];
      to.pitch_bytes[0] = pitch_bytes_[at];
      for (int y = 0; y < plane_height(format_, plane); ++y) {
        for (int x = 0; x < plane_width(format_, plane); ++x) {
          const int value = sample_at(picture, plane, y, x) << form.shift_bits | below;
          set_sample(to, 0, y, in_turn ? 2 * x + plane - 1 : x, value);
        }
      }
    }
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }

  // Of a copy in other memory.
  PictureView view(const void* memory) const {
    PictureView made{.format = format_};
    for (std::size_t i = 0; i < 3 && pitch_bytes_[i] > 0; ++i) {
      made.planes[i] = static_cast<const std::byte*>(memory) + begin_[i];
      made.pitch_bytes[i] = pitch_bytes_[i];
    }
    return made;
  }

 private:
  PictureFormat format_;
  std::array<std::ptrdiff_t, 3> begin_{};
  std::array<std::ptrdiff_t, 3> pitch_bytes_{};
  std::vector<std::byte> bytes_;
};

// RGB [3, height, width] within rows and planes that are longer by some elements.
class RgbOnDevice {
 public:
  static constexpr float kAround = -77.0f;

  RgbOnDevice(const Rgb& rgb, ElementType type, int extra_columns = 0, int extra_rows = 0)
      : width_(rgb.width),
        height_(rgb.height),
        type_(type),
        row_stride_(rgb.width + extra_columns),
        plane_stride_((rgb.height + extra_rows) * row_stride_),
        memory_(spread(rgb), type) {}

  RgbView view() { return {memory_.data(), type_, width_, height_, row_stride_, plane_stride_}; }

  MutableRgbView mutable_view() {
    return {static_cast<float*>(memory_.data()), width_, height_, row_stride_, plane_stride_};
  }

  // What lies in memory now. All that is no pixel must still be kAround.
  Rgb read(bool* untouched_around) const {
    std::vector<float> values = memory_.values(type_);
    Rgb rgb(width_, height_);
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < height_; ++y) {
        for (int x = 0; x < width_; ++x) {
          float& value = values[place(c, y, x)];
          rgb.at(c, y, x) = static_cast<double>(value);
          value = kAround;
        }
      }
    }
    *untouched_around = values == std::vector<float>(values.size(), kAround);
    return rgb;
  }

 private:
  std::size_t place(int c, int y, int x) const {
    return static_cast<std::size_t>(c * plane_stride_ + y * row_stride_ + x);
  }

  std::vector<float> spread(const Rgb& rgb) const {
    std::vector<float> values(static_cast<std::size_t>(3 * plane_stride_), kAround);
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < height_; ++y) {
        for (int x = 0; x < width_; ++x) {
          values[place(c, y, x)] = static_cast<float>(rgb.at(c, y, x));
        }
      }
    }
    return values;
  }

  int width_;
  int height_;
  ElementType type_;
  std::int64_t row_stride_;
  std::int64_t plane_stride_;
  OnDevice memory_;
};

// As the device sees it: rounded to its number format.
inline Rgb random_rgb(
    int width, int height, float low, float high, ElementType type, unsigned seed) {
  Rgb rgb(width, height);
  const auto values = rounded(random_values(rgb.values.size(), low, high, seed), type);
  std::copy(values.begin(), values.end(), rgb.values.begin());
  return rgb;
}

}  // namespace vsr::kernels::test
