#include "doctor/checks.hpp"
#include "version.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

namespace vsr::launcher::doctor {

namespace {

// Below these a run goes on but suffers.
constexpr int kFewProcessors = 4;
constexpr int kOldestMajor = 8;  // of our own kernels
constexpr double kMostOfGpu = 0.9;
constexpr std::uint64_t kLittleMemory_bytes = 8'000'000'000;
constexpr std::uint64_t kLittleSharedMemory_bytes = 256'000'000;
constexpr std::uint64_t kFewFiles = 1024;
constexpr std::uint64_t kLittleLocked_bytes = 1 << 30;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kCluster, what + ": " + std::strerror(errno));
}

std::string text_of(std::uint64_t bytes) { return size_text(static_cast<double>(bytes)); }

std::optional<std::uint32_t> ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

// Whether an entry of btl_tcp_if_include, a name or an IPv4 network, means this interface.
bool means(const std::string& entry, const Interface& interface) {
  const std::size_t slash = entry.find('/');
  if (slash == std::string::npos) return entry == interface.name;
  const auto network = ipv4(entry.substr(0, slash));
  const auto bits = parse_number<unsigned>(std::string_view(entry).substr(slash + 1));
  const auto address = ipv4(interface.address);
  if (!network || !address || !bits || *bits > 32) return false;
  return ((std::uint64_t{*network} ^ *address) >> (32 - *bits)) == 0;
}

}  // namespace

Check check_program() {
  std::string text = all_versions();
  text.pop_back();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) {
    text.replace(at, 1, "; ");
  }
  return ok("program", text);
}

GpuFigures measure_gpu(int local_rank) {
  GpuFigures figures{.count = gpu::device_count()};
  if (figures.count == 0) {
    figures.why_none = gpu::unavailable_reason();
  } else {
    figures.device = gpu::device_info(local_rank % figures.count);
    figures.free_bytes = gpu::memory_info(figures.device.index).free_bytes;
  }
  return figures;
}

Check check_gpu(DeviceChoice wanted, const GpuFigures& gpu, int local_size) {
  if (wanted == DeviceChoice::kCpu) return ok("gpu", "not looked at: stream.device = cpu");
  if (gpu.count == 0) {
    const std::string seen = "none: " + gpu.why_none;
    const std::string advice =
        "rent a GPU, or give the container the one there is (docker: --gpus all)";
    if (wanted == DeviceChoice::kCuda) return failure("gpu", ErrorCode::kGpu, seen, advice);
    return warning("gpu", seen, advice + "; the processor is more than a hundred times slower");
  }
  const gpu::DeviceInfo& device = gpu.device;
  const std::string seen = format("{} ({} of {} for {} ranks), compute capability {}.{}, ",
                                  device.name,
                                  device.index + 1,
                                  gpu.count,
                                  local_size,
                                  device.compute_major,
                                  device.compute_minor) +
                           text_of(gpu.free_bytes) + " of " + text_of(device.total_bytes) + " free";
  if (local_size > gpu.count) return warning("gpu", seen, "start one rank a GPU");
  if (device.compute_major < kOldestMajor) {
    return warning("gpu", seen, "take an Ampere GPU (8.0) or a newer one: others are slow here");
  }
  return unless(
      static_cast<double>(gpu.free_bytes) >= kMostOfGpu * static_cast<double>(device.total_bytes),
      warning("gpu", seen, "see with nvidia-smi who else uses it"));
}

Check check_processors(int usable, int visible, bool bound) {
  const std::string advice =
      "take a pod with more of them, or raise the container's quota (cpu.max): decoding and the "
      "final encode will set the pace";
  return unless(usable >= kFewProcessors,
                warning("processors",
                        format("{} of {} visible", usable, visible),
                        bound ? "mpirun --bind-to none; or " + advice : advice));
}

Check check_memory(std::uint64_t usable_bytes, std::uint64_t visible_bytes) {
  return unless(usable_bytes >= kLittleMemory_bytes,
                warning("memory",
                        text_of(usable_bytes) + " free of " + text_of(visible_bytes) + " visible",
                        "take a pod with more of it, or raise the container's limit (memory.max): "
                        "x265 alone takes some 4 GB at 1440 lines"));
}

Check check_shared_memory(std::uint64_t free_bytes) {
  return unless(free_bytes >= kLittleSharedMemory_bytes,
                warning("shared memory",
                        text_of(free_bytes) + " free in /dev/shm",
                        "start the container with --shm-size=1g: Open MPI and NCCL need it"));
}

Check check_limits(std::uint64_t files, std::uint64_t locked_bytes, bool infiniband) {
  const std::uint64_t none = ~std::uint64_t{0};
  const std::string seen =
      "open files: " + (files == none ? "any" : std::to_string(files)) +
      ", locked memory: " + (locked_bytes == none ? "any" : text_of(locked_bytes));
  // CUDA's pinned memory does not count.
  return unless(files >= kFewFiles && (!infiniband || locked_bytes >= kLittleLocked_bytes),
                warning("limits",
                        seen,
                        "ulimit -n 1024; start the container with --ulimit memlock=-1, since MPI "
                        "and NCCL lock what goes through InfiniBand"));
}

std::vector<Interface> usable_interfaces() {
  ifaddrs* head = nullptr;
  if (getifaddrs(&head) != 0) fail("network interfaces cannot be listed");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(head, freeifaddrs);
  std::vector<Interface> found;
  for (const ifaddrs* one = head; one != nullptr; one = one->ifa_next) {
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    const void* address = nullptr;
    if (family == AF_INET) {
      address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    } else if (family == AF_INET6) {
      const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
      if (!IN6_IS_ADDR_LINKLOCAL(&v6)) address = &v6;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address != nullptr && inet_ntop(family, address, text.data(), text.size()) != nullptr) {
      found.push_back({one->ifa_name, text.data()});
    }
  }
  return found;
}

Check check_interfaces(const std::vector<Interface>& interfaces,
                       const std::string& include,
                       bool several_hosts) {
  std::string seen;
  std::set<std::string> names;
  for (const Interface& one : interfaces) {
    seen += (seen.empty() ? "" : ", ") + one.name + " " + one.address;
    names.insert(one.name);
  }
  if (interfaces.empty()) {
    return unless(!several_hosts,
                  failure("interfaces",
                          ErrorCode::kCluster,
                          "none but the loopback one",
                          "give the pod a network that its peers can reach"));
  }
  seen += "; MPI uses " + (include.empty() ? std::string("all") : include);
  std::istringstream entries(include);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const auto meant = [&](const Interface& one) { return means(entry, one); };
    if (std::any_of(interfaces.begin(), interfaces.end(), meant)) continue;
    return failure("interfaces",
                   ErrorCode::kCluster,
                   seen,
                   "set btl_tcp_if_include to what is there, such as ens1 or 10.65.0.0/16: for '" +
                       entry + "' Open MPI takes all, also those that peers cannot reach");
  }
  return unless(!include.empty() || names.size() == 1 || !several_hosts,
                warning("interfaces",
                        seen,
                        "mpirun --mca btl_tcp_if_include NAME_OR_NETWORK: it hangs where peers "
                        "cannot reach one"));
}

Listener::Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  constexpr int kWaiting = 128;  // connections, which nobody accepts
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (fd_ < 0 || ::bind(fd_, any, size) != 0 || ::listen(fd_, kWaiting) != 0 ||
      ::getsockname(fd_, any, &size) != 0) {
    const int reason = errno;
    if (fd_ >= 0) ::close(fd_);
    errno = reason;
    fail("no port can be listened on");
  }
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() { ::close(fd_); }

Check check_loopback() {
  const Listener listener;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(listener.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool there =
      fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  const std::string seen = there ? "127.0.0.1 answers" : std::strerror(errno);
  if (fd >= 0) ::close(fd);
  return unless(there, failure("loopback", ErrorCode::kCluster, seen, "ip link set lo up"));
}

}  // namespace vsr::launcher::doctor
