// A small strict JSON reader (RFC 8259) for the header of a .safetensors file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::model {

struct JsonMember;

struct Json {
  enum class Kind { kNull, kBool, kInteger, kReal, kText, kArray, kObject };

  Kind kind = Kind::kNull;
  bool truth = false;
  std::int64_t integer = 0;         // kInteger: written without point or exponent, fits 64 bits
  double real = 0;                  // kInteger and kReal
  std::string text;                 // UTF-8
  std::vector<Json> items;          // kArray
  std::vector<JsonMember> members;  // kObject, in the file's order

  // The member of that name, or null.
  const Json* find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  Json value;
};

// Parses the whole of `text`. Refuses (Error(kModel), naming the byte) anything else than one JSON
// value with white space around it: also a name twice in one object, invalid UTF-8, more than 16
// levels, more than 1,000,000 values.
Json parse_json(std::string_view text);

}  // namespace vsr::model
