#include "control_group.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace vsr {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// A folder that looks like "/" to what reads control groups.
class ControlGroup : public ::testing::Test {
 protected:
  void file(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root() / name).parent_path());
    write_file(root() / name, text);
  }

  std::filesystem::path root() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(ControlGroup, NoneLimitsNothing) {
  EXPECT_EQ(cgroup_memory_left(root()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(std::isinf(cgroup_cpus(root())));
}

TEST_F(ControlGroup, SaysMaxForNoLimit) {
  file("proc/self/cgroup", "0::/\n");
  file("sys/fs/cgroup/memory.max", "max\n");
  file("sys/fs/cgroup/memory.current", "1000\n");
  file("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_memory_left(root()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(std::isinf(cgroup_cpus(root())));
}

TEST_F(ControlGroup, IdleFilePagesAreStillToBeHad) {
  file("proc/self/cgroup", "0::/pod\n");
  file("sys/fs/cgroup/pod/memory.max", std::to_string(4 * kGiB));
  file("sys/fs/cgroup/pod/memory.current", std::to_string(4 * kGiB - 1));
  file("sys/fs/cgroup/pod/memory.stat",
       "anon 5\nactive_file 7\ninactive_file " + std::to_string(3 * kGiB) + "\nunevictable 0\n");
  EXPECT_EQ(cgroup_memory_left(root()), 3 * kGiB + 1);
}

TEST_F(ControlGroup, TheLeastOfAllGroupsAboveHolds) {
  file("proc/self/cgroup", "0::/machine/pod\n");
  file("sys/fs/cgroup/machine/memory.max", std::to_string(2 * kGiB));
  file("sys/fs/cgroup/machine/memory.current", std::to_string(kGiB));
  file("sys/fs/cgroup/machine/pod/memory.max", std::to_string(8 * kGiB));
  file("sys/fs/cgroup/machine/pod/memory.current", "0");
  file("sys/fs/cgroup/machine/pod/cpu.max", "750000 100000\n");
  EXPECT_EQ(cgroup_memory_left(root()), kGiB);
  EXPECT_DOUBLE_EQ(cgroup_cpus(root()), 7.5);
}

TEST_F(ControlGroup, VersionOne) {
  file("proc/self/cgroup", "4:cpu,cpuacct:/pod\n3:memory:/pod\n");
  file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // its "none"
  file("sys/fs/cgroup/memory/pod/memory.limit_in_bytes", std::to_string(2 * kGiB));
  file("sys/fs/cgroup/memory/pod/memory.usage_in_bytes", std::to_string(2 * kGiB));
  file("sys/fs/cgroup/memory/pod/memory.stat",
       "inactive_file 1\ntotal_inactive_file " + std::to_string(kGiB) + "\n");
  file("sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us", "200000");
  file("sys/fs/cgroup/cpu/pod/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_memory_left(root()), kGiB);
  EXPECT_DOUBLE_EQ(cgroup_cpus(root()), 2);
}

}  // namespace
}  // namespace vsr
