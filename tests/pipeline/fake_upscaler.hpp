// An upscaler without a network: every sample becomes a 4x4 block. Frames are told apart, stages
// can be slowed and made to fail. Digests, if any, are made on the host.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/kernels/picture_digest.hpp"
#include "vsr/model/upscaler.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace vsr::pipeline::test {

class FakeUpscaler : public model::PictureUpscaler {
 public:
  explicit FakeUpscaler(const PictureFormat& input) : input_(input), output_(input) {
    output_.width *= 4;
    output_.height *= 4;
    output_.subsampling = ChromaSubsampling::k422;
    output_.bit_depth = 10;
  }

  const PictureFormat& input_format() const override { return input_; }

  const PictureFormat& output_format() const override { return output_; }

  bool gives_digests() const override { return digests; }

  model::LrFrame upload(const PictureView& picture, gpu::Event*) override {
    if (uploads_until_out_of_memory-- == 0) throw OutOfMemory("the fake card is full");
    auto frame = std::make_shared<Frame>();
    for (int y = 0; y < input_.height; ++y) {
      const auto* row =
          reinterpret_cast<const std::uint8_t*>(picture.planes[0] + y * picture.pitch_bytes[0]);
      frame->luma.insert(frame->luma.end(), row, row + input_.width);
    }
    return model::LrFrame(frame);
  }

  bool remembers() const override { return remembering; }

  void begin_sequence() override { ++sequences; }

  void run(std::span<const model::LrFrame> window,
           const FrameRange& emit,
           model::OutputSink& sink) override {
    windows.push_back(static_cast<int>(window.size()));
    frames_before.push_back(static_cast<int>(emit.begin));
    for (std::int64_t i = emit.begin; i < emit.end; ++i) {
      // Memory runs out in mid-window, after some frames were delivered.
      if (static_cast<int>(window.size()) > most_frames && i >= emit.begin + 2) {
        throw OutOfMemory("the fake card is full");
      }
      if (frames_until_failure-- == 0) throw Error(ErrorCode::kGpu, "the fake card fell off");
      std::this_thread::sleep_for(time_per_frame);
      const auto& frame = dynamic_cast<const Frame&>(window[static_cast<std::size_t>(i)].state());
      const auto index = static_cast<std::size_t>(i - emit.begin);
      const MutablePictureView picture = sink.acquire(index);
      enlarge(frame.luma, picture);
      if (digests) hand_out(digest_of(picture), index, sink);
      sink.deliver(index, {});
    }
  }

  int most_frames = 1 << 30;
  int frames_until_failure = -1;
  int uploads_until_out_of_memory = -1;
  std::chrono::microseconds time_per_frame{0};
  bool remembering = false;
  bool digests = false;
  int digests_wanted = 0;  // of those handed out
  int sequences = 0;
  std::vector<int> windows;
  std::vector<int> frames_before;  // those seen before the first one given, by window

 protected:
  std::vector<std::byte> digest_of(const PictureView& picture) const {
    const kernels::DigestShape shape = kernels::digest_shape(input_, output_, {});
    std::vector<std::byte> digest(kernels::digest_bytes(shape));
    kernels::make_digest(picture, shape, digest.data());
    return digest;
  }

  void hand_out(const std::vector<std::byte>& digest, std::size_t index, model::OutputSink& sink) {
    const std::span<std::byte> to = sink.acquire_digest(index, digest.size());
    if (to.empty()) return;
    ++digests_wanted;
    std::ranges::copy(digest, to.begin());
  }

 private:
  struct Frame : model::LrFrame::State {
    std::vector<std::uint8_t> luma;
  };

  void enlarge(const std::vector<std::uint8_t>& luma, const MutablePictureView& out) const {
    for (int y = 0; y < output_.height; ++y) {
      auto* row = reinterpret_cast<std::uint16_t*>(out.planes[0] + y * out.pitch_bytes[0]);
      const std::uint8_t* from = luma.data() + std::ptrdiff_t{y / 4} * input_.width;
      for (int x = 0; x < output_.width; ++x) row[x] = static_cast<std::uint16_t>(from[x / 4] * 4);
    }
    for (const std::size_t plane : {std::size_t{1}, std::size_t{2}}) {
      for (int y = 0; y < output_.height; ++y) {
        auto* row =
            reinterpret_cast<std::uint16_t*>(out.planes[plane] + y * out.pitch_bytes[plane]);
        std::fill(row, row + output_.width / 2, std::uint16_t{512});
      }
    }
  }

  PictureFormat input_;
  PictureFormat output_;
};

}  // namespace vsr::pipeline::test
