#include "vsr/gpu/nccl_broadcast.hpp"

#include "cuda/check.hpp"
#include "nccl_advice.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/printable.hpp"
#include "vsr/gpu/copy.hpp"
#include "vsr/gpu/device_buffer.hpp"
#include "vsr/gpu/event.hpp"
#include "vsr/gpu/stream.hpp"

#include <nccl.h>
#include <sys/statvfs.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace vsr::gpu {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kNap = std::chrono::milliseconds(1);

// Free in /dev/shm; as if there was plenty where it cannot be told.
std::uint64_t shared_memory_bytes() {
  struct statvfs about {};

  if (statvfs("/dev/shm", &about) != 0) return ~std::uint64_t{0};
  return std::uint64_t{about.f_bavail} * about.f_frsize;
}

[[noreturn]] void fail(NcclFailure failure) {
  failure.shared_memory_bytes = shared_memory_bytes();
  throw Error(ErrorCode::kGpu, format("NCCL: {}; {}", failure.said, nccl_advice(failure)));
}

// What NCCL says of a call that failed: its last warning if there was one, else the code's name.
std::string words_of(ncclResult_t result, ncclComm_t communicator) {
  const char* last = ncclGetLastError(communicator);
  return last != nullptr && *last != '\0' ? printable(last) : ncclGetErrorString(result);
}

bool is_of_system(ncclResult_t result) {
  return result == ncclSystemError || result == ncclRemoteError;
}

// Multicast over NVLink serves reductions; a broadcast has no use for it, its set-up takes time and
// fails in containers that may not use it. NCCL reads the environment when it is first used, which
// is here, on the thread that starts the run: nobody else asks for a variable meanwhile.
void settle_environment() { setenv("NCCL_NVLS_ENABLE", "0", 0); }

// A non-blocking communicator for one broadcast. Whatever is left of it at the end is aborted.
class Link {
 public:
  explicit Link(double timeout_s)
      : timeout_s_(timeout_s),
        deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(timeout_s))) {}

  // The device must be the thread's current one.
  ~Link() {
    if (communicator_ != nullptr) ncclCommAbort(communicator_);
  }

  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void open(const std::string& id, const NcclPlace& place) {
    ncclUniqueId unique{};
    if (id.size() != sizeof(unique)) throw Error(ErrorCode::kInternal, "no id of NCCL's");
    std::memcpy(&unique, id.data(), sizeof(unique));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    await(ncclCommInitRankConfig(&communicator_, place.ranks, unique, place.rank, &config));
  }

  void broadcast(DeviceBuffer& buffer, StreamView stream) {
    in_transfer_ = true;
    await(ncclBroadcast(buffer.data(),
                        buffer.data(),
                        buffer.size(),
                        ncclUint8,
                        0,
                        communicator_,
                        static_cast<cudaStream_t>(stream.handle)));
    // Its kernel waits for the other ranks', on the device.
    const Event arrived = Event::record(stream);
    while (!arrived.done()) {
      ncclResult_t state = ncclSuccess;
      check(ncclCommGetAsyncError(communicator_, &state));
      check(state);
      nap();
    }
  }

  void close() {
    await(ncclCommFinalize(communicator_));
    check(ncclCommDestroy(std::exchange(communicator_, nullptr)));
  }

 private:
  // Until what a call began is done.
  void await(ncclResult_t state) {
    while (state == ncclInProgress) {
      nap();
      check(ncclCommGetAsyncError(communicator_, &state));
    }
    check(state);
  }

  void check(ncclResult_t result) const {
    if (result == ncclSuccess || result == ncclInProgress) return;
    fail({.said = words_of(result, communicator_),
          .in_transfer = in_transfer_,
          .system = is_of_system(result)});
  }

  void nap() const {
    if (Clock::now() > deadline_) {
      fail({.said = format("{} within {} s",
                           in_transfer_ ? "the bytes have not come" : "not all ranks were found",
                           timeout_s_),
            .late = true,
            .in_transfer = in_transfer_});
    }
    std::this_thread::sleep_for(kNap);
  }

  const double timeout_s_;
  const Clock::time_point deadline_;
  ncclComm_t communicator_ = nullptr;
  bool in_transfer_ = false;
};

}  // namespace

std::string make_nccl_id() {
  settle_environment();
  ncclUniqueId id{};
  const ncclResult_t result = ncclGetUniqueId(&id);
  if (result != ncclSuccess) {
    fail({.said = words_of(result, nullptr), .system = is_of_system(result)});
  }
  return {id.internal, sizeof(id.internal)};
}

void nccl_broadcast(const std::string& id,
                    const NcclPlace& place,
                    std::span<std::byte> bytes,
                    double timeout_s) {
  settle_environment();
  const DeviceGuard guard(place.device);
  // In this order: a link that is aborted takes its kernel from the stream first.
  DeviceBuffer buffer(bytes.size(), place.device);
  const Stream stream(place.device);
  Link link(timeout_s);
  link.open(id, place);
  if (place.rank == 0) {
    copy_bytes_async(bytes.data(), buffer.data(), bytes.size(), stream.view());
  }
  link.broadcast(buffer, stream.view());
  if (place.rank != 0) {
    copy_bytes_async(buffer.data(), bytes.data(), bytes.size(), stream.view());
    stream.wait();
  }
  try {
    link.close();
  } catch (const Error& error) {  // the bytes are there
    log::debug("gpu", "aborted when all was done: {}", error.what());
  }
}

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return "unknown";
  return format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace vsr::gpu
