#include "checkpoint/zip_reader.hpp"

#include "checkpoint/refusal.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace vsr::model {

namespace {

constexpr std::uint64_t kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEntrySignature = 0x02014b50;
constexpr std::uint64_t kEndSignature = 0x06054b50;
constexpr std::uint64_t kEnd64Signature = 0x06064b50;
constexpr std::uint64_t kLocator64Signature = 0x07064b50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::uint64_t kSaturated16 = 0xFFFF;
constexpr std::uint64_t kSaturated32 = 0xFFFFFFFF;
// A checkpoint of 566 tensors has a directory of 50 KB.
constexpr std::uint64_t kMostDirectoryBytes = 16 << 20;
constexpr std::uint64_t kMostEntries = 100'000;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The 64-bit values that stand in the entry's extra field for saturated 32-bit ones, in order.
class Zip64Extra {
 public:
  explicit Zip64Extra(std::span<const std::byte> extra) {
    while (extra.size() >= 4) {
      const std::uint64_t id = little_endian(extra, 0, 2);
      const std::uint64_t bytes = little_endian(extra, 2, 2);
      if (bytes > extra.size() - 4) return;  // padding, not a field
      if (id == 1) {
        field_ = extra.subspan(4, bytes);
        return;
      }
      extra = extra.subspan(4 + bytes);
    }
  }

  std::uint64_t next(const std::string& name) {
    if (field_.size() < 8) refuse(format("zip entry {}: its 64-bit size is missing", name));
    const std::uint64_t value = little_endian(field_, 0, 8);
    field_ = field_.subspan(8);
    return value;
  }

 private:
  std::span<const std::byte> field_;
};

// Where the data of an entry begins: the local header's own name and extra field come before it.
std::uint64_t find_data(const FileBytes& file,
                        std::uint64_t header_offset,
                        const std::string& name) {
  const std::vector<std::byte> header = file.read(header_offset, kLocalBytes);
  const std::uint64_t name_bytes = little_endian(header, 26, 2);
  const std::uint64_t extra_bytes = little_endian(header, 28, 2);
  if (little_endian(header, 0, 4) != kLocalSignature || name_bytes != name.size() ||
      as_text(file.read(header_offset + kLocalBytes, name_bytes)) != name) {
    refuse(format("zip entry {}: the directory does not lead to it; the file is damaged",
                  in_quotes(name)));
  }
  return header_offset + kLocalBytes + name_bytes + extra_bytes;
}

}  // namespace

bool ZipArchive::recognises(std::span<const std::byte> head) {
  if (head.size() < 4) return false;
  const std::uint64_t signature = little_endian(head, 0, 4);
  return signature == kLocalSignature || signature == kEndSignature;
}

ZipArchive::ZipArchive(const FileBytes& file) : file_(file) { read_directory(find_directory()); }

ZipArchive::Directory ZipArchive::find_directory() const {
  // The end record is last but for a comment of at most 65535 bytes.
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(file_.size(), kEndBytes + 0xFFFF);
  const std::uint64_t tail_offset = file_.size() - tail_bytes;
  const std::vector<std::byte> tail = file_.read(tail_offset, tail_bytes);
  std::size_t at = tail.size();
  bool found = false;
  for (std::size_t end = tail.size(); !found && end >= kEndBytes; --end) {
    at = end - kEndBytes;
    found = little_endian(tail, at, 4) == kEndSignature &&
            little_endian(tail, at + 20, 2) == tail.size() - end;
  }
  if (!found)
    refuse("truncated: the directory at the end of a zip file is missing; fetch it again");

  const auto record = std::span(tail).subspan(at, kEndBytes);
  Directory directory{
      little_endian(record, 16, 4), little_endian(record, 12, 4), little_endian(record, 10, 2)};
  const bool one_disk =
      little_endian(record, 4, 4) == 0 || little_endian(record, 4, 4) == kSaturated32;
  std::uint64_t directory_end = tail_offset + at;
  if (directory_end >= kLocator64Bytes) {
    const auto locator = file_.read(directory_end - kLocator64Bytes, kLocator64Bytes);
    if (little_endian(locator, 0, 4) == kLocator64Signature) {
      directory_end = little_endian(locator, 8, 8);
      const auto record64 = file_.read(directory_end, kEnd64Bytes);
      if (little_endian(record64, 0, 4) != kEnd64Signature) {
        refuse("the 64-bit end record of the zip file is damaged");
      }
      const Directory directory64{little_endian(record64, 48, 8),
                                  little_endian(record64, 40, 8),
                                  little_endian(record64, 32, 8)};
      const auto agrees = [](std::uint64_t small, std::uint64_t saturated, std::uint64_t large) {
        return small == saturated || small == large;
      };
      if (!agrees(directory.offset, kSaturated32, directory64.offset) ||
          !agrees(directory.bytes, kSaturated32, directory64.bytes) ||
          !agrees(directory.entries, kSaturated16, directory64.entries)) {
        refuse("the two end records of the zip file contradict each other");
      }
      directory = directory64;
    }
  }
  if (!one_disk) refuse("a part of a zip file in several parts; join them first");
  if (directory.bytes > kMostDirectoryBytes || directory.entries > kMostEntries) {
    refuse(format(
        "the zip directory is too big ({} entries, {} bytes)", directory.entries, directory.bytes));
  }
  if (directory.offset > directory_end || directory_end - directory.offset != directory.bytes) {
    refuse("the zip directory is not where the end record says; the file is damaged or was cut");
  }
  return directory;
}

void ZipArchive::read_directory(const Directory& directory) {
  const std::vector<std::byte> bytes = file_.read(directory.offset, directory.bytes);
  auto rest = std::span<const std::byte>(bytes);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;  // of header and data, half-open
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (rest.size() < kEntryBytes || little_endian(rest, 0, 4) != kEntrySignature) {
      refuse(format("the zip directory is damaged at entry {} of {}", i, directory.entries));
    }
    const std::uint64_t flags = little_endian(rest, 8, 2);
    const std::size_t name_bytes = little_endian(rest, 28, 2);
    const std::size_t extra_bytes = little_endian(rest, 30, 2);
    const std::size_t comment_bytes = little_endian(rest, 32, 2);
    const std::size_t entry_bytes = kEntryBytes + name_bytes + extra_bytes + comment_bytes;
    if (rest.size() < entry_bytes) {
      refuse(format("the zip directory is damaged at entry {} of {}", i, directory.entries));
    }
    const std::string name(as_text(rest.subspan(kEntryBytes, name_bytes)));
    Zip64Extra extra(rest.subspan(kEntryBytes + name_bytes, extra_bytes));
    ZipEntry entry;
    entry.method = static_cast<std::uint16_t>(little_endian(rest, 10, 2));
    entry.encrypted = (flags & 1) != 0;
    entry.crc = static_cast<std::uint32_t>(little_endian(rest, 16, 4));
    entry.packed_bytes = little_endian(rest, 20, 4);
    entry.bytes = little_endian(rest, 24, 4);
    std::uint64_t header_offset = little_endian(rest, 42, 4);
    if (entry.bytes == kSaturated32) entry.bytes = extra.next(in_quotes(name));
    if (entry.packed_bytes == kSaturated32) entry.packed_bytes = extra.next(in_quotes(name));
    if (header_offset == kSaturated32) header_offset = extra.next(in_quotes(name));
    rest = rest.subspan(entry_bytes);

    entry.data_offset = find_data(file_, header_offset, name);
    if (entry.data_offset > directory.offset ||
        entry.packed_bytes > directory.offset - entry.data_offset) {
      refuse(format("zip entry {}: {} bytes reach beyond the data part of the file",
                    in_quotes(name),
                    entry.packed_bytes));
    }
    ranges.emplace_back(header_offset, entry.data_offset + entry.packed_bytes);
    has_crcs_ = has_crcs_ || entry.crc != 0;
    if (!entries_.emplace(name, entry).second) {
      refuse(format("ambiguous: zip entry {} is there twice", in_quotes(name)));
    }
  }
  if (!rest.empty()) refuse("the zip directory holds more entries than announced");
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) refuse("entries of the zip file overlap");
  }
}

const ZipEntry& ZipArchive::checked(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) refuse(format("zip entry {} is missing", in_quotes(name)));
  const ZipEntry& entry = found->second;
  if (entry.encrypted) refuse(format("zip entry {} is encrypted", in_quotes(name)));
  if (entry.method != 0) {
    refuse(
        format("zip entry {} is compressed; torch.save never does that, zip it again stored "
               "(zip -0) or save it again",
               in_quotes(name)));
  }
  if (entry.packed_bytes != entry.bytes) {
    refuse(format("zip entry {}: two sizes, {} and {} bytes",
                  in_quotes(name),
                  entry.packed_bytes,
                  entry.bytes));
  }
  if (has_crcs_ && file_.crc32(entry.data_offset, entry.bytes) != entry.crc) {
    refuse(format("zip entry {}: CRC-32 is wrong, the file is damaged; fetch it again",
                  in_quotes(name)));
  }
  return entry;
}

std::vector<std::byte> ZipArchive::read(const std::string& name, std::uint64_t most_bytes) const {
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second.method == 0 && found->second.bytes > most_bytes) {
    refuse(format("zip entry {}: too big, {} bytes where at most {} make sense",
                  in_quotes(name),
                  found->second.bytes,
                  most_bytes));
  }
  const ZipEntry& entry = checked(name);
  return file_.read(entry.data_offset, entry.bytes);
}

}  // namespace vsr::model
