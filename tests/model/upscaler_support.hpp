// Clips made up for Upscaler's tests, and a sink that keeps what it is given.
#pragma once

#include "golden_support.hpp"
#include "test_support.hpp"
#include "vsr/gpu/pinned_buffer.hpp"
#include "vsr/model/upscaler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace vsr::model::test {

inline std::optional<Checkpoint> checkpoint_or_nothing(const char* name) {
  if (!vsr::test::shared_dir()) return std::nullopt;
  return Checkpoint::read(golden_dir() / "weights" / name);
}

// A moving pattern in `format`, all samples within the nominal range.
class Clip {
 public:
  Clip(const PictureFormat& format, int frames) : format_(format) {
    for (int t = 0; t < frames; ++t) {
      pictures_.emplace_back(packed_bytes(format));
      paint(pictures_.back(), [t](int plane, int x, int y) {
        return 128 + 80 * std::sin(0.3 * (x + 1.5 * t) + plane) * std::cos(0.2 * (y - t));
      });
    }
  }

  // White for the length of a frame, as a lightning or a splice is.
  void flash(std::size_t t) {
    paint(pictures_[t], [](int plane, int, int) { return plane == 0 ? 235.0 : 128.0; });
  }

  PictureView view(std::size_t t) { return packed_view(format_, pictures_[t].data()); }

  std::size_t size() const { return pictures_.size(); }

 private:
  // `value(plane, x, y)` in the scale of 8 bits.
  template <class Value>
  void paint(std::vector<std::byte>& memory, Value value) {
    const MutablePictureView view = packed_view(format_, memory.data());
    for (int plane = 0; plane < plane_count(format_); ++plane) {
      const auto i = static_cast<std::size_t>(plane);
      const std::ptrdiff_t sample_bytes = bytes_per_sample(format_);
      for (int y = 0; y < plane_height(format_, plane); ++y) {
        for (int x = 0; x < plane_width(format_, plane); ++x) {
          const int whole = static_cast<int>(value(plane, x, y) * (1 << (format_.bit_depth - 8)));
          std::byte* sample = view.planes[i] + y * view.pitch_bytes[i] + x * sample_bytes;
          sample[0] = static_cast<std::byte>(whole & 255);
          if (sample_bytes == 2) sample[1] = static_cast<std::byte>(whole >> 8);
        }
      }
    }
  }

  PictureFormat format_;
  std::vector<std::vector<std::byte>> pictures_;
};

// Keeps what it is given, with rows padded to show that pitches are respected.
class Collector : public OutputSink {
 public:
  explicit Collector(const PictureFormat& format) : format_(format) {}

  MutablePictureView acquire(std::size_t index) override {
    indices.push_back(index);
    constexpr std::ptrdiff_t kPadding = 48;
    const auto padding = static_cast<std::size_t>(kPadding * 3 * format_.height);
    buffers_.emplace_back(packed_bytes(format_) + padding, true);
    MutablePictureView view = packed_view(format_, buffers_.back().data());
    std::byte* memory = buffers_.back().data();
    for (int plane = 0; plane < plane_count(format_); ++plane) {
      const auto i = static_cast<std::size_t>(plane);
      view.pitch_bytes[i] += kPadding;
      view.planes[i] = memory;
      memory += view.pitch_bytes[i] * plane_height(format_, plane);
    }
    views_.push_back(view);
    return view;
  }

  void deliver(std::size_t index, gpu::Event ready) override {
    EXPECT_EQ(index, indices.back());
    ready.wait();
    std::vector<std::byte> packed(packed_bytes(format_));
    copy_picture(views_.back(), packed_view(format_, packed.data()));
    pictures.push_back(std::move(packed));
  }

  std::vector<std::size_t> indices;
  std::vector<std::vector<std::byte>> pictures;

 private:
  PictureFormat format_;
  std::vector<gpu::PinnedBuffer> buffers_;
  std::vector<MutablePictureView> views_;
};

inline std::vector<LrFrame> upload_all(Upscaler& upscaler, Clip& clip) {
  std::vector<LrFrame> frames;
  for (std::size_t t = 0; t < clip.size(); ++t) {
    gpu::Event copied;
    frames.push_back(upscaler.upload(clip.view(t), &copied));
    copied.wait();
  }
  return frames;
}

inline std::vector<std::vector<std::byte>> upscale(Upscaler& upscaler,
                                                   Clip& clip,
                                                   FrameRange emit) {
  Collector sink(upscaler.output_format());
  const auto frames = upload_all(upscaler, clip);
  upscaler.run(frames, emit, sink);
  return sink.pictures;
}

using Pictures = std::vector<std::vector<std::byte>>;

// Of 16-bit samples, all pictures together.
inline double psnr_db(const Pictures& a, const Pictures& b) {
  double squares = 0;
  double count = 0;
  if (a.size() != b.size()) return 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    for (std::size_t i = 0; i + 1 < a[t].size(); i += 2) {
      const auto sample = [i](const std::vector<std::byte>& picture) {
        return std::to_integer<int>(picture[i]) + 256 * std::to_integer<int>(picture[i + 1]);
      };
      const double error = sample(a[t]) - sample(b[t]);
      squares += error * error;
      ++count;
    }
  }
  return squares == 0 ? 200 : 10 * std::log10(65535.0 * 65535.0 * count / squares);
}

inline UpscalerOptions options_for(const PictureFormat& input, DeviceSpec device = {}) {
  UpscalerOptions options;
  options.device = device;
  options.input = input;
  return options;
}

}  // namespace vsr::model::test
