#include "version.hpp"

#include "vsr/base/format.hpp"
#include "vsr/cluster/communicator.hpp"
#include "vsr/gpu/device.hpp"
#include "vsr/gpu/nccl_broadcast.hpp"
#include "vsr/media/source.hpp"
#include "vsr/model/network.hpp"
#include "vsr/store/run_directory.hpp"

#include <boost/version.hpp>
#include <spdlog/version.h>

namespace vsr::launcher {

std::string program_version() { return VSR_VERSION; }

std::string all_versions() {
  const std::string cuda = gpu::built_with_cuda() ? gpu::versions() : "built without CUDA";
  return format(
      "vsr-dist {}\nLibTorch: {}\nCUDA: {}{}\n{}FFmpeg: {}\nMPI: {}\n{}\nBoost {}.{}.{}\nspdlog "
      "{}.{}.{}\n",
      program_version(),
      model::torch_version(),
      cuda,
      gpu::device_count() == 0 ? format(" ({})", gpu::unavailable_reason()) : "",
      gpu::built_with_cuda() ? format("NCCL: {}\n", gpu::nccl_version()) : "",
      media::library_versions(),
      cluster::mpi_version(),
      store::hdf5_version(),
      BOOST_VERSION / 100000,
      BOOST_VERSION / 100 % 1000,
      BOOST_VERSION % 100,
      SPDLOG_VER_MAJOR,
      SPDLOG_VER_MINOR,
      SPDLOG_VER_PATCH);
}

}  // namespace vsr::launcher
