// CRC-32 (IEEE 802.3, as in zip and PNG): tells torn bytes from whole ones, not forged from true.
#pragma once

#include <cstdint>
#include <string_view>

namespace vsr {

// Of `bytes` behind those whose CRC is `before`: crc32(a + b) == crc32(b, crc32(a)).
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace vsr
