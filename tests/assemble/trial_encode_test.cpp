// Pictures of a film encoded to see what it costs, before any is upscaled.
#include "vsr/assemble/trial_encode.hpp"

#include "film_fixture.hpp"
#include "vsr/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <vector>

namespace vsr::assemble {
namespace {

// Pictures as the network would get them, a quarter of the mezzanines' size.
class Trial : public ::testing::Test {
 protected:
  Trial() {
    spec_.source = test::make_source(folder_.path() / "film.mkv", 0.2, "", {});
    spec_.picture = {192, 128, ColourModel::kYuv, ChromaSubsampling::k422, 10};
    spec_.colour = {.matrix = Matrix::kBt709, .primaries = 1, .transfer = 1};
    spec_.options = FinalOptions{.height = 96, .preset = "fast"};
    spec_.threads = 1;
    spec_.one_of_many = true;
  }

  TrialEncode encode(const PictureFormat& format,
                     std::size_t count,
                     const std::function<bool(std::int64_t)>& progress) {
    std::vector<std::vector<std::byte>> memory;
    std::vector<PictureView> pictures;
    for (std::size_t k = 0; k < count; ++k) {
      memory.emplace_back(packed_bytes(format));
      for (std::size_t i = 0; i < memory.back().size(); ++i) {
        memory.back()[i] =
            static_cast<std::byte>(format.bit_depth > 8 && i % 2 == 1 ? 1 : (i * 7 + k) % 200);
      }
    }
    for (auto& bytes : memory) pictures.push_back(packed_view(format, bytes.data()));
    return try_encode(spec_, {.matrix = Matrix::kBt601}, pictures, progress);
  }

  test::TemporaryFolder folder_;
  AssembleSpec spec_;
};

TEST_F(Trial, EveryPictureComesBackAndNothingIsWritten) {
  const auto files = [&] {
    return std::distance(std::filesystem::recursive_directory_iterator(folder_.path()),
                         std::filesystem::recursive_directory_iterator());
  };
  const auto before = files();
  for (const std::size_t count : {1u, 3u, 30u}) {
    const TrialEncode trial = encode({48, 32}, count, [](auto) { return true; });
    EXPECT_EQ(trial.frames, static_cast<std::int64_t>(count));
    EXPECT_GT(trial.enlarging_s, 0);
    EXPECT_LT(trial.enlarging_s, 5);
  }
  EXPECT_EQ(files(), before);
}

TEST_F(Trial, PicturesOfEveryKindAreTaken) {
  const auto whole = [&](const PictureFormat& format) {
    return encode(format, 3, [](auto) { return true; }).frames == 3;
  };
  for (const ColourModel model : {ColourModel::kYuv, ColourModel::kRgb, ColourModel::kGray}) {
    for (const int depth : {8, 10}) {
      const auto chroma =
          model == ColourModel::kGray ? ChromaSubsampling::k420 : ChromaSubsampling::k444;
      EXPECT_TRUE(whole({48, 32, model, chroma, depth})) << static_cast<int>(model) << ' ' << depth;
    }
  }
  spec_.picture = {192, 128, ColourModel::kRgb, ChromaSubsampling::k444, 16};  // as PNG holds them
  EXPECT_TRUE(whole({48, 32}));
  EXPECT_TRUE(whole({48, 32, ColourModel::kRgb, ChromaSubsampling::k444, 8}));
}

TEST_F(Trial, EndsWhenItIsTold) {
  spec_.picture = {1536, 1024, ColourModel::kYuv, ChromaSubsampling::k422, 10};
  spec_.options.height = 1024;
  spec_.options.preset = "veryslow";
  const auto begin = std::chrono::steady_clock::now();
  const TrialEncode trial = encode({384, 256}, 200, [](auto) { return false; });
  EXPECT_LT(trial.frames, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

TEST_F(Trial, ASettingThatTheEncoderDoesNotTakeIsAnError) {
  spec_.options.preset = "slwo";
  EXPECT_THROW(encode({48, 32}, 1, [](auto) { return true; }), Error);
}

}  // namespace
}  // namespace vsr::assemble
