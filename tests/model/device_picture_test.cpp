// Pictures that lie on the GPU already against the same ones from the host. Skips where there is no
// GPU.
#include "vsr/base/device_picture.hpp"

#include "upscaler_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/pinned_buffer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace vsr::model {
namespace {

using test::Clip;
using test::Collector;
using test::options_for;

constexpr gpu::StreamView kDecoder{.device = 0};  // the default stream, as FFmpeg's decoders use

// As a decoder leaves it: NV12 in 8 bits, P010 in 10.
DevicePicture put_on_gpu(const PictureView& picture) {
  const PictureFormat& format = picture.format;
  const std::ptrdiff_t bytes = bytes_per_sample(format);
  const int shift = bytes == 1 ? 0 : 16 - format.bit_depth;
  const std::ptrdiff_t pitch = (format.width * bytes + 511) / 512 * 512;
  const std::ptrdiff_t chroma_at = pitch * format.height;
  std::vector<std::byte> host(
      static_cast<std::size_t>(chroma_at + pitch * plane_height(format, 1)));
  for (int plane = 0; plane < 3; ++plane) {
    const auto i = static_cast<std::size_t>(plane);
    for (int y = 0; y < plane_height(format, plane); ++y) {
      for (int x = 0; x < plane_width(format, plane); ++x) {
        std::uint16_t sample = 0;
        std::memcpy(&sample,
                    picture.planes[i] + y * picture.pitch_bytes[i] + x * bytes,
                    static_cast<std::size_t>(bytes));
        sample = static_cast<std::uint16_t>(sample << shift);
        const std::ptrdiff_t at = plane == 0 ? y * pitch + x * bytes
                                             : chroma_at + y * pitch + (2 * x + plane - 1) * bytes;
        std::memcpy(host.data() + at, &sample, static_cast<std::size_t>(bytes));
      }
    }
  }
  auto memory = std::make_shared<gpu::DeviceBuffer>(host.size(), 0);
  gpu::copy_bytes_async(host.data(), memory->data(), host.size(), kDecoder);
  DevicePicture made;
  made.view.format = format;
  made.view.planes[0] = static_cast<const std::byte*>(memory->data());
  made.view.planes[1] = made.view.planes[0] + chroma_at;
  made.view.pitch_bytes = {pitch, pitch, 0};
  made.form = {.semi_planar = true, .shift_bits = shift};
  made.cuda_context = gpu::driver_context(0);
  made.owner = std::move(memory);
  return made;
}

class DevicePictures : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    checkpoint_ = Checkpoint::read(vsr::test::source_dir() / "models/mix_c32n3.pth");
  }

  UpscalerOptions options(int bit_depth, Backend backend) const {
    UpscalerOptions made = options_for(
        {131, 75, ColourModel::kYuv, ChromaSubsampling::k420, bit_depth}, {.cuda = true});
    made.precision = Precision::kFp16;
    made.backend = backend;
    return made;
  }

  std::optional<Checkpoint> checkpoint_;
};

TEST_F(DevicePictures, GiveTheSameAsThoseFromTheHost) {
  for (const int bit_depth : {8, 10}) {
    Upscaler upscaler(*checkpoint_, options(bit_depth, Backend::kFused));
    ASSERT_TRUE(upscaler.takes_device_pictures());
    Clip clip(upscaler.input_format(), 5);
    const auto expected = test::upscale(upscaler, clip, {0, 5});
    std::vector<LrFrame> frames;
    for (std::size_t t = 0; t < clip.size(); ++t) {
      const DevicePicture picture = put_on_gpu(clip.view(t));
      gpu::Event read;
      frames.push_back(upscaler.take(picture, &read));
      read.wait();
    }
    Collector sink(upscaler.output_format());
    upscaler.run(frames, {0, 5}, sink);
    EXPECT_EQ(sink.pictures, expected) << bit_depth;
  }
}

TEST_F(DevicePictures, ComeDownAsTheyAre) {
  for (const int bit_depth : {8, 10}) {
    Upscaler upscaler(*checkpoint_, options(bit_depth, Backend::kFused));
    const PictureFormat& format = upscaler.input_format();
    Clip clip(format, 2);
    gpu::PinnedBuffer memory(packed_bytes(format), true);
    for (std::size_t t = 0; t < clip.size(); ++t) {
      const DevicePicture picture = put_on_gpu(clip.view(t));
      upscaler.copy_down(picture, memory.data()).wait();
      std::vector<std::byte> got(packed_bytes(format));
      copy_picture(packed_view(format, picture.form, memory.data()),
                   picture.form,
                   packed_view(format, got.data()));
      std::vector<std::byte> expected(packed_bytes(format));
      copy_picture(clip.view(t), packed_view(format, expected.data()));
      EXPECT_EQ(got, expected) << bit_depth << " bits, frame " << t;
    }
  }
}

TEST_F(DevicePictures, OfAnotherContextOrFormatAreRefused) {
  Upscaler upscaler(*checkpoint_, options(8, Backend::kFused));
  gpu::Event read;
  Clip right(upscaler.input_format(), 1);
  DevicePicture picture = put_on_gpu(right.view(0));
  picture.cuda_context = nullptr;
  EXPECT_THROW(upscaler.take(picture, &read), Error);
  std::vector<std::byte> memory(packed_bytes(picture.view.format));
  EXPECT_THROW(upscaler.copy_down(picture, memory.data()), Error);
  Clip other({64, 64, ColourModel::kYuv, ChromaSubsampling::k420, 8}, 1);
  EXPECT_THROW(upscaler.take(put_on_gpu(other.view(0)), &read), Error);
}

TEST_F(DevicePictures, AreNotForTheReference) {
  Upscaler upscaler(*checkpoint_, options(8, Backend::kReference));
  EXPECT_FALSE(upscaler.takes_device_pictures());
  Clip clip(upscaler.input_format(), 1);
  gpu::Event read;
  EXPECT_THROW(upscaler.take(put_on_gpu(clip.view(0)), &read), Error);
}

}  // namespace
}  // namespace vsr::model
