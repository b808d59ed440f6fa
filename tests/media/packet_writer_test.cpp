#include "vsr/media/packet_writer.hpp"

#include "media/segment_packets.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/sha256.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace vsr::media {
namespace {

constexpr int kFrames = 5;
constexpr std::int64_t kFirstFrame = 470;

using Packet = std::vector<std::byte>;

class PacketWriterTest : public testing::Test {
 protected:
  // The mezzanine that SegmentWriter makes, and its packets.
  void SetUp() override {
    SegmentWriter writer(path("encoded.mov"),
                         MezzanineCodec::kProres,
                         format_,
                         colour_,
                         rate_,
                         {1, 1},
                         kFirstFrame,
                         1);
    std::vector<std::byte> memory(packed_bytes(format_));
    for (int frame = 0; frame < kFrames; ++frame) {
      const MutablePictureView picture = packed_view(format_, memory.data());
      for (std::size_t p = 0; p < 3; ++p) {
        const int width = plane_width(format_, static_cast<int>(p));
        for (int y = 0; y < format_.height; ++y) {
          auto* row =
              reinterpret_cast<std::uint16_t*>(picture.planes[p] + y * picture.pitch_bytes[p]);
          for (int x = 0; x < width; ++x) {
            row[x] = static_cast<std::uint16_t>(200 + 3 * x + y + 30 * frame + 20 * p);
          }
        }
      }
      writer.write(picture);
    }
    encoded_ = writer.finish();

    SegmentPackets packets(
        path("encoded.mov"), MezzanineCodec::kProres, 0, kFrames, encoded_.checksums);
    const PacketPtr packet = make_packet();
    while (packets.read(*packet)) {
      const auto* bytes = reinterpret_cast<const std::byte*>(packet->data);
      packets_.emplace_back(bytes, bytes + packet->size);
    }
  }

  std::filesystem::path path(const char* name) const { return folder_.path() / name; }

  PacketWriter writer_at(const char* name) const {
    return {path(name), format_, colour_, rate_, {1, 1}, kFirstFrame};
  }

  test::TemporaryFolder folder_;
  PictureFormat format_ = mezzanine_format(MezzanineCodec::kProres, 146, 50);
  ColourDescription colour_{.matrix = Matrix::kBt601, .primaries = 5, .transfer = 6};
  Rational rate_{24000, 1001};
  WrittenMezzanine encoded_;
  std::vector<Packet> packets_;
};

TEST_F(PacketWriterTest, MakesTheFileThatTheEncoderMakes) {
  PacketWriter writer = writer_at("packets.mov");
  for (const Packet& packet : packets_) writer.write(packet);
  const WrittenMezzanine made = writer.finish();
  EXPECT_EQ(made.frames, kFrames);
  EXPECT_EQ(made.bytes, encoded_.bytes);
  EXPECT_EQ(made.checksums, encoded_.checksums);
  EXPECT_EQ(sha256_of(read_file(path("packets.mov"))), sha256_of(read_file(path("encoded.mov"))));
}

TEST_F(PacketWriterTest, IsReadBackPictureByPicture) {
  PacketWriter writer = writer_at("packets.mov");
  for (const Packet& packet : packets_) writer.write(packet);
  const WrittenMezzanine made = writer.finish();
  SegmentReader ours(
      path("packets.mov"), MezzanineCodec::kProres, 1, kFrames - 2, made.checksums, 1);
  SegmentReader theirs(
      path("encoded.mov"), MezzanineCodec::kProres, 1, kFrames - 2, encoded_.checksums, 1);
  PictureView a;
  PictureView b;
  for (int frame = 1; frame < kFrames - 1; ++frame) {
    ASSERT_TRUE(ours.read(a));
    ASSERT_TRUE(theirs.read(b));
    ASSERT_EQ(a.format, format_);
    for (int p = 0; p < 3; ++p) {
      const auto i = static_cast<std::size_t>(p);
      const auto row = static_cast<std::size_t>(plane_width(format_, p)) * 2;
      for (int y = 0; y < format_.height; ++y) {
        ASSERT_EQ(std::memcmp(
                      a.planes[i] + y * a.pitch_bytes[i], b.planes[i] + y * b.pitch_bytes[i], row),
                  0);
      }
    }
  }
  EXPECT_FALSE(ours.read(a));
  EXPECT_EQ(find_damage(path("packets.mov"), MezzanineCodec::kProres, made.checksums),
            std::nullopt);
}

TEST_F(PacketWriterTest, RefusesWhatIsNoFrameOfThisSize) {
  PacketWriter writer = writer_at("packets.mov");
  Packet cut = packets_[0];
  cut.pop_back();
  EXPECT_THROW(writer.write(cut), Error);
  Packet renamed = packets_[0];
  renamed[4] = std::byte{'x'};
  EXPECT_THROW(writer.write(renamed), Error);
  Packet widened = packets_[0];
  widened[17] = std::byte{1};
  EXPECT_THROW(writer.write(widened), Error);
  EXPECT_THROW(writer.write({}), Error);
  writer.write(packets_[0]);
  EXPECT_EQ(writer.finish().frames, 1);
}

TEST_F(PacketWriterTest, UnfinishedStaysAPart) {
  {
    PacketWriter writer = writer_at("packets.mov");
    writer.write(packets_[0]);
  }
  EXPECT_FALSE(std::filesystem::exists(path("packets.mov")));
  EXPECT_TRUE(std::filesystem::exists(part_name(path("packets.mov"))));
}

}  // namespace
}  // namespace vsr::media
