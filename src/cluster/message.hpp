// What ranks say to each other, as bytes. Version 8; told in docs/cluster.md. Private to the room.
#pragma once

#include "vsr/cluster/cluster.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace vsr::cluster {

enum class Kind : char {
  kAlive = 'v',  // worker -> 0: nothing new but `status`; 0 -> worker: what you asked is in hand
  kListening = 'i',  // 0 -> worker: say how you are, kMostUnheard times from now on
  kReady = 'r',      // worker -> 0: give me the next one to upscale
  kOutcome = 'o',    // worker -> 0: what came of it
  kLeaving = 'l',    // worker -> 0: I was told to stop and work no more
  kFarewell = 'w',   // worker -> 0: I was dismissed and am gone
  kAssign = 'a',     // 0 -> worker: do this
  kStop = 's',       // 0 -> worker: stop (how soon in `level`)
  kDismiss = 'd',    // 0 -> worker: the run is over
  // Of files, where the ranks share none (file_service.hpp):
  kFetch = 'f',  // worker -> 0: give me these bytes of that file
  kBytes = 'b',  // 0 -> worker: here they are
  kPut = 'p',    // worker -> 0: the next bytes of a file that is to be yours
  kTaken = 't',  // 0 -> worker: how much of it I have
};

// What a rank without work may say of itself and rank 0 has not listened to: while rank 0 joins the
// film it hears nothing, and what is said must not pile up.
inline constexpr int kMostUnheard = 30;

inline constexpr std::uint64_t kMostPieceBytes = 1u << 20;

// What came of a kFetch or kPut.
enum class Answer : char {
  kFine,
  kAgain,   // the piece was torn: once more from `offset` on
  kWhole,   // the file is published
  kFailed,  // `bytes` says why
  kDiskFull,
};

// A piece of a file, or what is said of one.
struct Parcel {
  std::uint32_t id = 0;           // of the request, or of the file that is put; whoever asks counts
  std::string name;               // kFetch, kPut: of the file
  std::uint64_t offset = 0;       // of the piece; kTaken: all before it is there
  std::uint64_t size = 0;         // kFetch: of the piece; kBytes, kPut: of the whole file
  std::uint32_t crc = 0;          // of `bytes`
  std::uint32_t whole = 0;        // kPut: CRC-32 of the file up to the end of this piece
  Answer answer = Answer::kFine;  // kBytes, kTaken
  ErrorCode code = ErrorCode::kInternal;  // likewise, kFailed
  std::string bytes;                      // kBytes, kPut: the piece; else a text
};

struct Note {
  Kind kind = Kind::kOutcome;
  Task task;               // kAssign
  int level = 0;           // kStop
  SegmentOutcome outcome;  // kOutcome
  Parcel parcel;           // kFetch, kBytes, kPut, kTaken
  std::string status;      // kAlive
};

// Whether `parcel` counts.
bool is_of_files(Kind kind);

std::string encode(const Note& note);
// Throws Error(kCluster): ranks of different versions, or a broken message.
Note decode(const std::string& bytes);

}  // namespace vsr::cluster
