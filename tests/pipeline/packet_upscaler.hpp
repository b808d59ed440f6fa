// A fake upscaler that gives ProRes packets, as one on a GPU does: made by the mezzanines' encoder.
#pragma once

#include "fake_upscaler.hpp"
#include "media/segment_packets.hpp"
#include "vsr/media/segment_writer.hpp"

#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

namespace vsr::pipeline::test {

class PacketUpscaler : public FakeUpscaler {
 public:
  // `scratch`: a file that it may write and read.
  PacketUpscaler(const PictureFormat& input, std::filesystem::path scratch)
      : FakeUpscaler(input), scratch_(std::move(scratch)) {}

  bool gives_digests() const override { return true; }

  std::size_t usual_packet_bytes() const override { return 1 << 16; }

  void run(std::span<const model::LrFrame> window,
           const FrameRange& emit,
           model::OutputSink& sink) override {
    media::SegmentWriter writer(scratch_,
                                media::MezzanineCodec::kProres,
                                output_format(),
                                {},
                                Rational(25, 1),
                                Rational(1, 1),
                                0,
                                1);
    std::vector<std::vector<std::byte>> of_pictures;
    PictureSink pictures(output_format(), [&](const PictureView& picture) {
      writer.write(picture);
      of_pictures.push_back(digest_of(picture));
    });
    FakeUpscaler::run(window, emit, pictures);
    const auto written = writer.finish();
    media::SegmentPackets packets(
        scratch_, media::MezzanineCodec::kProres, 0, written.frames, written.checksums);
    const media::PacketPtr packet = media::make_packet();
    for (std::size_t index = 0; packets.read(*packet); ++index) {
      const auto bytes = static_cast<std::size_t>(packet->size);
      std::memcpy(sink.acquire_packet(index, bytes).data(), packet->data, bytes);
      hand_out(of_pictures[index], index, sink);
      sink.deliver(index, {});
    }
  }

 private:
  class PictureSink : public model::OutputSink {
   public:
    PictureSink(const PictureFormat& format, std::function<void(const PictureView&)> take)
        : format_(format), take_(std::move(take)), memory_(packed_bytes(format)) {}

    MutablePictureView acquire(std::size_t) override {
      return packed_view(format_, memory_.data());
    }

    void deliver(std::size_t, gpu::Event) override { take_(packed_view(format_, memory_.data())); }

   private:
    PictureFormat format_;
    std::function<void(const PictureView&)> take_;
    std::vector<std::byte> memory_;
  };

  std::filesystem::path scratch_;
};

}  // namespace vsr::pipeline::test
