#include "message.hpp"

#include "vsr/base/format.hpp"

#include <cstring>

namespace vsr::cluster {

namespace {

constexpr std::size_t kHeaderBytes = 74;  // and some
constexpr char kMessageVersion = 8;

Error cut_short() { return {ErrorCode::kCluster, "a message between ranks is cut short"}; }

template <typename Value>
void put(std::string& bytes, const Value& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename Value>
Value get(const std::string& bytes, std::size_t& at) {
  Value value{};
  if (bytes.size() - at < sizeof(value)) {
    throw cut_short();
  }
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  at += sizeof(value);
  return value;
}

}  // namespace

bool is_of_files(Kind kind) {
  return kind == Kind::kFetch || kind == Kind::kBytes || kind == Kind::kPut || kind == Kind::kTaken;
}

std::string encode(const Note& note) {
  std::string bytes;
  put(bytes, kMessageVersion);
  put(bytes, note.kind);
  if (note.kind == Kind::kAlive) bytes += note.status;
  if (note.kind == Kind::kStop) put(bytes, note.level);
  if (note.kind == Kind::kAssign) {
    put(bytes, note.task.work);
    put(bytes, note.task.segment);
    put(bytes, note.task.attempt);
    put(bytes, note.task.at_once);
  }
  if (note.kind == Kind::kOutcome) {
    put(bytes, note.outcome.work);
    put(bytes, note.outcome.segment);
    put(bytes, static_cast<char>(note.outcome.ok));
    put(bytes, static_cast<char>(note.outcome.retryable));
    put(bytes, static_cast<char>(note.outcome.disk_full));
    put(bytes, static_cast<int>(note.outcome.code));
    put(bytes, note.outcome.wall_s);
    bytes += note.outcome.message;
  }
  if (is_of_files(note.kind)) {
    const Parcel& parcel = note.parcel;
    bytes.reserve(kHeaderBytes + parcel.name.size() + parcel.bytes.size());
    put(bytes, parcel.id);
    put(bytes, parcel.offset);
    put(bytes, parcel.size);
    put(bytes, parcel.crc);
    put(bytes, parcel.whole);
    put(bytes, parcel.answer);
    put(bytes, static_cast<int>(parcel.code));
    put(bytes, static_cast<std::uint32_t>(parcel.name.size()));
    bytes += parcel.name;
    bytes += parcel.bytes;
  }
  return bytes;
}

Note decode(const std::string& bytes) {
  std::size_t at = 0;
  if (get<char>(bytes, at) != kMessageVersion) {
    throw Error(ErrorCode::kCluster,
                "ranks of different versions of vsr-dist speak with each other: install the same "
                "on every host");
  }
  Note note;
  note.kind = get<Kind>(bytes, at);
  if (note.kind == Kind::kAlive) note.status = bytes.substr(at);
  if (note.kind == Kind::kStop) note.level = get<int>(bytes, at);
  if (note.kind == Kind::kAssign) {
    note.task.work = get<Work>(bytes, at);
    note.task.segment = get<int>(bytes, at);
    note.task.attempt = get<int>(bytes, at);
    note.task.at_once = get<int>(bytes, at);
  }
  if (note.kind == Kind::kOutcome) {
    note.outcome.work = get<Work>(bytes, at);
    note.outcome.segment = get<int>(bytes, at);
    note.outcome.ok = get<char>(bytes, at) != 0;
    note.outcome.retryable = get<char>(bytes, at) != 0;
    note.outcome.disk_full = get<char>(bytes, at) != 0;
    note.outcome.code = static_cast<ErrorCode>(get<int>(bytes, at));
    note.outcome.wall_s = get<double>(bytes, at);
    note.outcome.message = bytes.substr(at);
  }
  if (is_of_files(note.kind)) {
    Parcel& parcel = note.parcel;
    parcel.id = get<std::uint32_t>(bytes, at);
    parcel.offset = get<std::uint64_t>(bytes, at);
    parcel.size = get<std::uint64_t>(bytes, at);
    parcel.crc = get<std::uint32_t>(bytes, at);
    parcel.whole = get<std::uint32_t>(bytes, at);
    parcel.answer = get<Answer>(bytes, at);
    parcel.code = static_cast<ErrorCode>(get<int>(bytes, at));
    const auto name = get<std::uint32_t>(bytes, at);
    if (bytes.size() - at < name) throw cut_short();
    parcel.name = bytes.substr(at, name);
    parcel.bytes = bytes.substr(at + name);
  }
  return note;
}

}  // namespace vsr::cluster
