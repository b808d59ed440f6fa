#include "vsr/gpu/copy.hpp"

#include "host_copy.hpp"

namespace vsr::gpu {

void copy_plane_async(const PlaneCopy& copy, StreamView /*stream*/) { copy_plane_on_host(copy); }

}  // namespace vsr::gpu
