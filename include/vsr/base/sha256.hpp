// SHA-256 (FIPS 180-4), for fingerprints of inputs, models and settings. Our own because the
// project needs nothing else of a cryptography library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vsr {

class Sha256 {
 public:
  Sha256();
  void update(const void* data, std::size_t size);

  void update(std::string_view text) { update(text.data(), text.size()); }

  // 64 lowercase hex digits. The object is spent.
  std::string finish();

 private:
  void block(const std::uint8_t* data);

  std::array<std::uint32_t, 8> state_;
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t length_ = 0;
};

std::string sha256_of(std::string_view text);
// Of a whole file. Throws Error(kStorage).
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace vsr
