// Timeline as bytes: a mark and a version, then every field in the order below. Integers are LEB128
// (zigzag where they may be negative), lists are a count and the differences of their numbers, text
// is a count and its bytes. A SHA-256 over all before it ends the whole.
#include "vsr/media/timeline.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <string_view>

namespace vsr::media {

namespace {

constexpr std::string_view kMark = "VSRTIMELINE";
constexpr std::uint64_t kVersion = 2;
constexpr std::uint64_t kOldestVersion = 1;  // had no own_mezzanine
constexpr std::size_t kDigestSize = 64;

class ByteWriter {
 public:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
    bytes_ += static_cast<char>(value);
  }

  void signed_number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    number((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }

  void rational(const Rational& value) {
    signed_number(value.num());
    signed_number(value.den());
  }

  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }

  void list(const std::vector<std::int64_t>& values) {
    number(values.size());
    std::uint64_t last = 0;  // unsigned, so that differences may wrap around
    for (const std::int64_t value : values) {
      signed_number(static_cast<std::int64_t>(static_cast<std::uint64_t>(value) - last));
      last = static_cast<std::uint64_t>(value);
    }
  }

  void format(const PictureFormat& value) {
    signed_number(value.width);
    signed_number(value.height);
    number(static_cast<std::uint64_t>(value.model));
    number(static_cast<std::uint64_t>(value.subsampling));
    signed_number(value.bit_depth);
  }

  void colour(const ColourDescription& value) {
    number(static_cast<std::uint64_t>(value.matrix));
    number(value.full_range ? 1 : 0);
    number(static_cast<std::uint64_t>(value.siting));
    signed_number(value.primaries);
    signed_number(value.transfer);
  }

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

[[noreturn]] void refuse(std::string_view reason) {
  throw Error(ErrorCode::kStorage, vsr::format("the stored timeline is not readable: {}", reason));
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) refuse("it ends early");
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    refuse("a number is too long");
  }

  std::int64_t signed_number() {
    const std::uint64_t bits = number();
    return static_cast<std::int64_t>((bits >> 1) ^ ((bits & 1) != 0 ? ~std::uint64_t{0} : 0));
  }

  int small(int least, int most) {
    const std::int64_t value = signed_number();
    if (value < least || value > most) refuse("a number is out of range");
    return static_cast<int>(value);
  }

  template <typename Enum>
  Enum choice(Enum last) {
    const std::uint64_t value = number();
    if (value > static_cast<std::uint64_t>(last)) refuse("a choice is out of range");
    return static_cast<Enum>(value);
  }

  bool flag() {
    const std::uint64_t value = number();
    if (value > 1) refuse("a flag is out of range");
    return value == 1;
  }

  Rational rational(bool above_zero) {
    const std::int64_t num = signed_number();
    const std::int64_t den = signed_number();
    constexpr std::int64_t kMost = std::int64_t{1} << 62;
    if (den <= 0 || num > kMost || num < -kMost || (above_zero && num <= 0))
      refuse("a fraction is out of range");
    return {num, den};
  }

  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) refuse("it ends early");
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }

  std::vector<std::int64_t> list() {
    const std::uint64_t count = number();
    if (count > rest_.size()) refuse("it ends early");  // a number takes a byte at least
    std::vector<std::int64_t> values;
    values.reserve(count);
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      last += static_cast<std::uint64_t>(signed_number());
      values.push_back(static_cast<std::int64_t>(last));
    }
    return values;
  }

  PictureFormat format() {
    constexpr int kMostSide = 1 << 16;
    PictureFormat value;
    value.width = small(1, kMostSide);
    value.height = small(1, kMostSide);
    value.model = choice(ColourModel::kGray);
    value.subsampling = choice(ChromaSubsampling::k420);
    value.bit_depth = small(8, 16);
    return value;
  }

  ColourDescription colour() {
    ColourDescription value;
    value.matrix = choice(Matrix::kFcc);
    value.full_range = flag();
    value.siting = choice(ChromaSiting::kBottom);
    value.primaries = small(0, 255);
    value.transfer = small(0, 255);
    return value;
  }

  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool ascending(const std::vector<std::int64_t>& values, bool strictly) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] < values[i - 1] || (strictly && values[i] == values[i - 1])) return false;
  }
  return true;
}

// Whatever the bytes say, a Timeline that gets out of here cannot lead a reader outside its lists.
void check_sense(const Timeline& timeline) {
  const auto pictures = static_cast<std::int64_t>(timeline.source_pts.size());
  const auto within = [](const std::vector<std::int64_t>& values, std::int64_t end) {
    return values.empty() || (values.front() >= 0 && values.back() < end);
  };
  if (!ascending(timeline.source_pts, true) || !ascending(timeline.seek_points, true) ||
      !ascending(timeline.source_picture, false)) {
    refuse("a list is out of order");
  }
  constexpr std::int64_t kMostPictures = std::int64_t{1} << 40;
  if (!within(timeline.seek_points, pictures) ||
      !within(timeline.source_picture, pictures > 0 ? pictures : kMostPictures)) {
    refuse("a picture's number is out of range");
  }
  if (timeline.seekable && pictures == 0 && !timeline.source_picture.empty()) {
    refuse("it can be entered anywhere, but has no times");
  }
}

}  // namespace

std::string Timeline::serialize() const {
  ByteWriter out;
  out.text(kMark);
  out.number(kVersion);
  out.text(source);
  out.number(source_bytes);
  out.text(filters);
  out.rational(rate);
  out.format(format);
  out.colour(colour);
  out.rational(sample_aspect);
  out.rational(start_time_s);
  out.list(source_picture);
  out.rational(source_time_base);
  out.list(source_pts);
  out.list(seek_points);
  out.signed_number(video_stream);
  out.colour(source_colour);
  out.rational(source_sample_aspect);
  out.signed_number(preroll_pictures);
  out.number(seekable ? 1 : 0);
  out.number(own_mezzanine ? 1 : 0);
  std::string bytes = out.take();
  bytes += sha256_of(bytes);
  return bytes;
}

Timeline Timeline::deserialize(const std::string& bytes) {
  if (bytes.size() < kDigestSize) refuse("it ends early");
  const std::string_view content = std::string_view(bytes).substr(0, bytes.size() - kDigestSize);
  ByteReader in(content);
  if (in.text() != kMark) refuse("it is something else");
  const std::uint64_t version = in.number();
  if (version < kOldestVersion || version > kVersion) {
    refuse(vsr::format("it has version {}, this program writes {}", version, kVersion));
  }
  if (sha256_of(content) != std::string_view(bytes).substr(content.size())) refuse("it is damaged");
  Timeline timeline;
  timeline.source = in.text();
  timeline.source_bytes = in.number();
  timeline.filters = in.text();
  timeline.rate = in.rational(true);
  timeline.format = in.format();
  timeline.colour = in.colour();
  timeline.sample_aspect = in.rational(true);
  timeline.start_time_s = in.rational(false);
  timeline.source_picture = in.list();
  timeline.source_time_base = in.rational(true);
  timeline.source_pts = in.list();
  timeline.seek_points = in.list();
  timeline.video_stream = in.small(0, 1 << 20);
  timeline.source_colour = in.colour();
  timeline.source_sample_aspect = in.rational(true);
  timeline.preroll_pictures = in.small(0, 1 << 20);
  timeline.seekable = in.flag();
  if (version >= 2) timeline.own_mezzanine = in.flag();
  if (!in.empty()) refuse("there is more than belongs to it");
  check_sense(timeline);
  return timeline;
}

}  // namespace vsr::media
