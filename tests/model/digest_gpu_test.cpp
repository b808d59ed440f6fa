// Digests that come with pictures and packets from a GPU, held to the host's own of the pictures.
// Skips where there is no GPU.
#include "upscaler_support.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/kernels/picture_digest.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace vsr::model {
namespace {

using test::Clip;
using test::Pictures;

// Keeps pictures, or packets, and the digest of one in `every`.
class DigestCollector final : public test::Collector {
 public:
  DigestCollector(const PictureFormat& format, std::size_t every)
      : Collector(format), every_(every) {}

  std::span<std::byte> acquire_packet(std::size_t index, std::size_t bytes) override {
    indices.push_back(index);
    return begin(packet_, bytes);
  }

  std::span<std::byte> acquire_digest(std::size_t index, std::size_t bytes) override {
    EXPECT_EQ(index, indices.back());
    return index % every_ == 0 ? begin(digest_, bytes) : std::span<std::byte>();
  }

  void deliver(std::size_t index, gpu::Event ready) override {
    if (packet_.size() == 0) {
      Collector::deliver(index, std::move(ready));
    } else {
      ready.wait();
      pictures.push_back(taken(packet_));
    }
    if (digest_.size() > 0) digests.push_back(taken(std::exchange(digest_, {})));
  }

  Pictures digests;

 private:
  static std::span<std::byte> begin(gpu::PinnedBuffer& buffer, std::size_t bytes) {
    buffer = gpu::PinnedBuffer(bytes, true);
    return {buffer.data(), bytes};
  }

  static std::vector<std::byte> taken(const gpu::PinnedBuffer& buffer) {
    return {buffer.data(), buffer.data() + buffer.size()};
  }

  const std::size_t every_;
  gpu::PinnedBuffer packet_;
  gpu::PinnedBuffer digest_;
};

class DigestsOnGpu : public ::testing::Test {
 protected:
  static constexpr int kFrames = 9;  // more than there are places for output on the device
  static constexpr PictureFormat kPicture{138, 75, ColourModel::kYuv, ChromaSubsampling::k420, 8};

  void SetUp() override {
    if (gpu::device_count() == 0) GTEST_SKIP() << gpu::unavailable_reason();
    checkpoint_ = Checkpoint::read(vsr::test::source_dir() / "models/mix_c32n3.pth");
  }

  UpscalerOptions options() const {
    UpscalerOptions made = test::options_for(kPicture, {.cuda = true});
    made.precision = Precision::kFp16;
    made.digests = true;
    return made;
  }

  DigestCollector upscale(const UpscalerOptions& given, std::size_t every) {
    Upscaler upscaler(*checkpoint_, given);
    EXPECT_EQ(upscaler.gives_digests(), given.digests);
    Clip clip(kPicture, kFrames);
    const auto frames = test::upload_all(upscaler, clip);
    DigestCollector sink(upscaler.output_format(), every);
    upscaler.run(frames, {0, kFrames}, sink);
    format_ = upscaler.output_format();
    return sink;
  }

  // By the host, of pictures that came down.
  Pictures expected(Pictures& pictures, std::size_t every) const {
    const kernels::DigestShape shape = kernels::digest_shape(kPicture, format_, {});
    Pictures digests;
    for (std::size_t i = 0; i < pictures.size(); i += every) {
      digests.emplace_back(kernels::digest_bytes(shape));
      kernels::make_digest(packed_view(format_, pictures[i].data()), shape, digests.back().data());
    }
    return digests;
  }

  std::optional<Checkpoint> checkpoint_;
  PictureFormat format_;
};

TEST_F(DigestsOnGpu, AreTheHostsOwn) {
  UpscalerOptions natural = options();
  UpscalerOptions scaled = options();
  scaled.output_width = 460;
  scaled.output_height = 250;
  UpscalerOptions rgb = options();
  rgb.output_model = ColourModel::kRgb;
  rgb.output_bit_depth = 16;
  for (const UpscalerOptions& given : {natural, scaled, rgb}) {
    DigestCollector sink = upscale(given, 1);
    ASSERT_EQ(sink.digests.size(), static_cast<std::size_t>(kFrames));
    EXPECT_EQ(sink.digests, expected(sink.pictures, 1)) << to_string(format_);
    EXPECT_NE(sink.digests.front(), sink.digests.back());
  }
}

TEST_F(DigestsOnGpu, ComeWithPacketsToo) {
  DigestCollector pictures = upscale(options(), 2);
  UpscalerOptions given = options();
  given.prores_packets = true;
  const DigestCollector packets = upscale(given, 2);
  EXPECT_EQ(packets.digests, expected(pictures.pictures, 2));
}

TEST_F(DigestsOnGpu, LeavePicturesAndPacketsAsTheyAre) {
  for (const bool packets : {false, true}) {
    UpscalerOptions given = options();
    given.prores_packets = packets;
    const Pictures with = upscale(given, 1).pictures;
    given.digests = false;
    EXPECT_EQ(upscale(given, 1).pictures, with);
  }
}

}  // namespace
}  // namespace vsr::model
