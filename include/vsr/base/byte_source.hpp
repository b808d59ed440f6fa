// The bytes of a file that need not lie on this host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace vsr {

// Threads: one at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Of the whole file, in bytes.
  virtual std::uint64_t size() const = 0;
  // Copies what lies from `offset` on and gives how much that was: fewer bytes than asked where
  // that suits the source, none at the end of the file alone. May wait. Throws Error.
  virtual std::size_t read(std::uint64_t offset, std::span<std::byte> into) = 0;
};

// Opens one such file, as often as it is called. Empty: the file is there to be opened by its path.
// Whoever takes both uses the path for messages alone when there is this.
using OpenBytes = std::function<std::unique_ptr<ByteSource>()>;

}  // namespace vsr
