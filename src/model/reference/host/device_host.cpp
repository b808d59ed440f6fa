#include "device.hpp"

#include <malloc.h>

namespace vsr::model::reference {

gpu::StreamView view_of(const c10::Stream& /*stream*/) { return {}; }

c10::Stream new_stream(const c10::Device& device) {
  return c10::Stream(c10::Stream::DEFAULT, device);
}

c10::Stream current_stream(const c10::Device& device) {
  return c10::Stream(c10::Stream::DEFAULT, device);
}

void release_cached_memory(const c10::Device& /*device*/) noexcept { malloc_trim(0); }

}  // namespace vsr::model::reference
