#include "message.hpp"

#include "vsr/base/crc32.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vsr::cluster {
namespace {

using ::testing::HasSubstr;

Note put_note() {
  Note note;
  note.kind = Kind::kPut;
  note.parcel = {.id = 7,
                 .name = "segments/0007.mov",
                 .offset = std::uint64_t{5} << 32,
                 .size = std::uint64_t{6} << 32,
                 .crc = 0x12345678,
                 .whole = 0x9abcdef0,
                 .answer = Answer::kAgain,
                 .code = ErrorCode::kStorage,
                 .bytes = std::string("\0abc\xff", 5)};
  return note;
}

TEST(Message, APieceOfAFileComesAsItWent) {
  for (const Kind kind : {Kind::kFetch, Kind::kBytes, Kind::kPut, Kind::kTaken}) {
    Note note = put_note();
    note.kind = kind;
    const Note got = decode(encode(note));
    EXPECT_EQ(got.kind, kind);
    EXPECT_EQ(got.parcel.id, note.parcel.id);
    EXPECT_EQ(got.parcel.name, note.parcel.name);
    EXPECT_EQ(got.parcel.offset, note.parcel.offset);
    EXPECT_EQ(got.parcel.size, note.parcel.size);
    EXPECT_EQ(got.parcel.crc, note.parcel.crc);
    EXPECT_EQ(got.parcel.whole, note.parcel.whole);
    EXPECT_EQ(got.parcel.answer, note.parcel.answer);
    EXPECT_EQ(got.parcel.code, note.parcel.code);
    EXPECT_EQ(got.parcel.bytes, note.parcel.bytes);
  }
}

TEST(Message, APieceCutShortIsRefusedOrFailsItsChecksum) {
  Note note = put_note();
  note.parcel.crc = crc32(note.parcel.bytes);
  const std::string whole = encode(note);
  const std::size_t before = whole.size() - note.parcel.bytes.size();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string cut = whole.substr(0, length);
    if (length < before) {
      EXPECT_THROW(decode(cut), Error) << length;
    } else {
      const Note got = decode(cut);
      EXPECT_NE(crc32(got.parcel.bytes), got.parcel.crc) << length;
    }
  }
}

TEST(Message, ANameLongerThanTheMessageIsRefused) {
  std::string bytes = encode(put_note());
  const std::size_t at = bytes.find("segments/");
  bytes[at - 1] = '\xff';  // of the length, the highest byte
  EXPECT_THROW(decode(bytes), Error);
}

TEST(Message, WhatARankTellsOfItselfComesAsItWent) {
  const std::string status("{\"rank\":1}\n\0\xff", 14);
  const Note got = decode(encode({.kind = Kind::kAlive, .status = status}));
  EXPECT_EQ(got.kind, Kind::kAlive);
  EXPECT_EQ(got.status, status);
}

TEST(Message, OfAnotherVersionIsRefusedWithWhatToDo) {
  std::string bytes = encode(put_note());
  --bytes[0];
  try {
    decode(bytes);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCluster);
    EXPECT_THAT(error.what(), HasSubstr("install the same on every host"));
  }
}

}  // namespace
}  // namespace vsr::cluster
