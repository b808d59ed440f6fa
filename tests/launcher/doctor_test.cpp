#include "doctor/checks.hpp"
#include "doctor/report.hpp"
#include "test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace vsr::launcher::doctor {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ErrorCode refused(const std::function<void()>& call, const std::string& words) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(words));
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

// --- Report ------------------------------------------------------------------------------------

Findings findings_of(int rank, std::vector<Check> checks) {
  return {.rank = rank,
          .host = rank < 2 ? "pod-a" : "pod-b",
          .versions = "vsr-dist 1.0, Open MPI v4.1.4",
          .clock_s = 0.25,
          .claims = std::string(64, rank == 1 ? '1' : '0'),
          .checks = std::move(checks)};
}

TEST(DoctorReport, FindingsTravelWhole) {
  Findings sent = findings_of(
      3, {ok("a", "tab\t, line\nend"), failure("b", ErrorCode::kStorage, "", "caf\xe9")});
  const Findings got = decode_findings(encode(sent));
  EXPECT_EQ(got.rank, 3);
  EXPECT_EQ(got.host, "pod-b");
  EXPECT_EQ(got.clock_s, 0.25);
  EXPECT_EQ(got.claims, std::string(64, '0'));
  EXPECT_EQ(got.checks,
            (std::vector<Check>{ok("a", "tab\\t, line\\nend"),
                                failure("b", ErrorCode::kStorage, "", "caf\\xe9")}));
  sent.clock_s.reset();
  EXPECT_FALSE(decode_findings(encode(sent)).clock_s);
}

TEST(DoctorReport, WhatIsNoFindingsIsRefused) {
  const std::string whole = encode(findings_of(0, {ok("name", "seen")}));
  const std::string other = "vsr-dist doctor 2\n" + whole.substr(whole.find('\n') + 1);
  for (const std::string& bytes : {std::string(),
                                   std::string("\n"),
                                   std::string("1 2 3"),
                                   other,
                                   whole.substr(0, whole.size() - 2),
                                   whole + "x\t1\t\n",
                                   whole + "\n"}) {
    EXPECT_EQ(refused([&] { decode_findings(bytes); }, "another version"), ErrorCode::kCluster);
  }
}

TEST(DoctorReport, RanksThatAgree) {
  for (const Check& check : compare({findings_of(0, {}), findings_of(1, {}), findings_of(2, {})})) {
    EXPECT_EQ(check.verdict, Verdict::kOk) << check.name << ": " << check.seen;
  }
}

TEST(DoctorReport, ARankWithAnotherVersionIsNamed) {
  std::vector<Findings> ranks{findings_of(0, {}), findings_of(1, {}), findings_of(2, {})};
  ranks[2].versions = "vsr-dist 0.9, Open MPI v4.1.4";
  const Check versions = compare(ranks).front();
  EXPECT_EQ(versions.verdict, Verdict::kFailure);
  EXPECT_EQ(versions.code, ErrorCode::kCluster);
  EXPECT_EQ(versions.seen,
            "vsr-dist 1.0, Open MPI v4.1.4; but vsr-dist 0.9, Open MPI v4.1.4 on rank 2 on pod-b");
}

TEST(DoctorReport, ClocksThatDifferAreNamed) {
  std::vector<Findings> ranks{findings_of(0, {}), findings_of(1, {}), findings_of(2, {})};
  ranks[1].clock_s = 0.0;
  ranks[2].clock_s = -3.0;
  const Check clocks = compare(ranks).back();
  EXPECT_EQ(clocks.verdict, Verdict::kWarning);
  EXPECT_EQ(clocks.seen, "rank 0 on pod-a is 3.250 s ahead of rank 2 on pod-b");
}

TEST(DoctorReport, AClaimWithTwoMakersOrNoneIsAFailure) {
  for (const auto& [rank, won] : {std::pair(0, '1'), std::pair(1, '0')}) {
    std::vector<Findings> ranks{findings_of(0, {}), findings_of(1, {})};
    ranks[static_cast<std::size_t>(rank)].claims[5] = won;
    const Check check = compare(ranks)[1];
    EXPECT_EQ(check.verdict, Verdict::kFailure);
    EXPECT_EQ(check.code, ErrorCode::kStorage);
    EXPECT_THAT(check.seen, HasSubstr("63 of 64"));
  }
}

TEST(DoctorReport, WhatRanksFoundAlikeIsOneLine) {
  const auto lines =
      merge({findings_of(0, {ok("gpu", "H100"), ok("memory", "1 GB")}),
             findings_of(1, {ok("gpu", "H100")}),
             findings_of(2, {warning("gpu", "none", "rent one"), ok("memory", "1 GB")})});
  ASSERT_EQ(lines.size(), 3);
  EXPECT_EQ(lines[0].where, "rank 0 on pod-a, rank 1 on pod-a");
  EXPECT_EQ(lines[1].where, "rank 2 on pod-b");
  EXPECT_EQ(lines[2].check.name, "memory");
  EXPECT_EQ(lines[2].where, "");
  EXPECT_THAT(lines[2].ranks, ElementsAre(0, 2));
  EXPECT_THAT(print_text(lines),
              HasSubstr("warning  gpu              rank 2 on pod-b: none; rent one\n"));
}

TEST(DoctorReport, ExitStatusIsThatOfTheFirstFailure) {
  const Check fine = ok("a", "");
  const Check odd = warning("b", "", "");
  const Check storage = failure("c", ErrorCode::kStorage, "", "");
  const Check cluster = failure("d", ErrorCode::kCluster, "", "");
  const auto status = [](std::vector<Check> checks) {
    return exit_status(merge({findings_of(0, std::move(checks))}));
  };
  EXPECT_EQ(status({}), 0);
  EXPECT_EQ(status({fine, odd}), 0);
  EXPECT_EQ(status({odd, storage, cluster}), 6);
  EXPECT_EQ(status({cluster, storage}), 7);
}

TEST(DoctorReport, JsonHoldsAnyBytes) {
  const auto lines = merge({findings_of(
      0, {failure("a\"b", ErrorCode::kGpu, "back\\slash\n\x1b[2J caf\xe9 \xc3\xa9", "do")})});
  EXPECT_EQ(print_json(lines, "1.0", 1),
            R"({"program": "1.0", "ranks": 1, "checks": [
  {"name": "a\"b", "verdict": "failure", "seen": "back\\slash\\n\\x1b[2J caf\\xe9 é", )"
            R"("advice": "do", "where": "", "ranks": [0], "exit_status": 5}
], "exit_status": 5}
)");
}

TEST(DoctorCheck, WhatALookThrowsIsItsFailure) {
  const Check storage = attempt("x", []() -> Check { throw Error(ErrorCode::kStorage, "full"); });
  EXPECT_EQ(storage, failure("x", ErrorCode::kStorage, "full", ""));
  const Check bug = attempt("x", []() -> Check { throw std::runtime_error("odd"); });
  EXPECT_EQ(bug, failure("x", ErrorCode::kInternal, "odd", ""));
  EXPECT_THROW(attempt("x", []() -> Check { throw Error(ErrorCode::kInterrupted, ""); }), Error);
}

// --- Host --------------------------------------------------------------------------------------

TEST(DoctorHost, NoGpuIsAWarningUnlessItWasAskedFor) {
  const GpuFigures none{.why_none = "no driver"};
  EXPECT_EQ(check_gpu(DeviceChoice::kAuto, none, 1).verdict, Verdict::kWarning);
  EXPECT_THAT(check_gpu(DeviceChoice::kAuto, none, 1).seen, HasSubstr("no driver"));
  EXPECT_EQ(check_gpu(DeviceChoice::kCuda, none, 1).verdict, Verdict::kFailure);
  EXPECT_EQ(check_gpu(DeviceChoice::kCuda, none, 1).code, ErrorCode::kGpu);
  EXPECT_EQ(check_gpu(DeviceChoice::kCpu, none, 1).verdict, Verdict::kOk);
}

TEST(DoctorHost, GpusThatAreOldSharedOrTakenAreWarnings) {
  const GpuFigures good{.count = 2,
                        .device = {.index = 1,
                                   .name = "NVIDIA H100",
                                   .compute_major = 9,
                                   .total_bytes = 80'000'000'000},
                        .free_bytes = 79'000'000'000};
  const Check fine = check_gpu(DeviceChoice::kAuto, good, 2);
  EXPECT_EQ(
      fine,
      ok("gpu",
         "NVIDIA H100 (2 of 2 for 2 ranks), compute capability 9.0, 79.0 GB of 80.0 GB free"));
  EXPECT_THAT(check_gpu(DeviceChoice::kAuto, good, 3).advice, HasSubstr("one rank a GPU"));
  GpuFigures old = good;
  old.device.compute_major = 7;
  EXPECT_THAT(check_gpu(DeviceChoice::kAuto, old, 2).advice, HasSubstr("Ampere"));
  GpuFigures taken = good;
  taken.free_bytes = 60'000'000'000;
  EXPECT_THAT(check_gpu(DeviceChoice::kAuto, taken, 2).advice, HasSubstr("nvidia-smi"));
}

TEST(DoctorHost, LittleOfAnythingIsAWarning) {
  constexpr std::uint64_t kGb = 1'000'000'000;
  EXPECT_EQ(check_processors(16, 128, false).verdict, Verdict::kOk);
  EXPECT_THAT(check_processors(1, 128, false).advice, Not(HasSubstr("--bind-to")));
  EXPECT_THAT(check_processors(1, 128, true).advice, HasSubstr("--bind-to none"));
  EXPECT_EQ(check_memory(60 * kGb, 500 * kGb).verdict, Verdict::kOk);
  EXPECT_EQ(check_memory(2 * kGb, 500 * kGb).verdict, Verdict::kWarning);
  EXPECT_EQ(check_shared_memory(64 << 20).verdict, Verdict::kWarning);
  EXPECT_EQ(check_shared_memory(kGb).verdict, Verdict::kOk);
  const std::uint64_t none = ~std::uint64_t{0};
  EXPECT_EQ(check_limits(256, none, false).verdict, Verdict::kWarning);
  EXPECT_EQ(check_limits(none, 65536, true).verdict, Verdict::kWarning);
  EXPECT_EQ(check_limits(1024, 65536, false).verdict, Verdict::kOk);
  EXPECT_EQ(check_limits(none, none, true), ok("limits", "open files: any, locked memory: any"));
}

TEST(DoctorHost, InterfacesThatMpiWouldUse) {
  const std::vector<Interface> two{{"eth0", "172.18.0.2"}, {"ens1", "10.65.3.4"}};
  const auto verdict =
      [](const std::vector<Interface>& interfaces, const std::string& include, bool several_hosts) {
        return check_interfaces(interfaces, include, several_hosts).verdict;
      };
  EXPECT_EQ(verdict(two, "", false), Verdict::kOk);
  EXPECT_EQ(verdict(two, "", true), Verdict::kWarning);
  EXPECT_EQ(verdict(two, "ens1", true), Verdict::kOk);
  EXPECT_EQ(verdict(two, "10.65.0.0/16,eth0", true), Verdict::kOk);
  for (const char* wrong :
       {"ens2", "10.66.0.0/16", "10.65.0.0/40", "10.65.0.0/x", "eth0,fd00::/8"}) {
    EXPECT_EQ(verdict(two, wrong, false), Verdict::kFailure) << wrong;
  }
  // An interface with two addresses is one.
  EXPECT_EQ(verdict({{"eth0", "172.18.0.2"}, {"eth0", "fd00::2"}}, "", true), Verdict::kOk);
  EXPECT_EQ(verdict({}, "", false), Verdict::kOk);
  EXPECT_EQ(verdict({}, "", true), Verdict::kFailure);
}

TEST(DoctorHost, ThisMachineCanBeLookedAt) {
  EXPECT_EQ(check_loopback().verdict, Verdict::kOk);
  EXPECT_NO_THROW(usable_interfaces());
  EXPECT_THAT(check_program().seen, HasSubstr("libavcodec"));
  EXPECT_THAT(check_program().seen, Not(HasSubstr("\n")));
}

// --- Storage -----------------------------------------------------------------------------------

TEST(DoctorStorage, NothingIsLeftOfAScratchFolder) {
  const test::TemporaryFolder folder;
  {
    const Scratch scratch(folder.path() / "a" / "b");
    EXPECT_EQ(scratch.path().parent_path(), folder.path() / "a" / "b");
    std::ofstream(scratch.path() / "file") << "x";
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  {
    const Scratch scratch(folder.path());
    EXPECT_TRUE(fs::is_empty(scratch.path()));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
  {
    const Scratch scratch(folder.path() / "a" / "b");
    std::ofstream(folder.path() / "a" / "of-another") << "x";
  }
  EXPECT_TRUE(fs::exists(folder.path() / "a" / "of-another"));
  EXPECT_FALSE(fs::exists(folder.path() / "a" / "b"));
}

TEST(DoctorStorage, WhereNothingCanBeMade) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  for (const fs::path& path : {fs::path("/proc/nowhere"), folder.path() / "file" / "in-a-file"}) {
    EXPECT_EQ(refused([&] { Scratch{path}; }, path.string()), ErrorCode::kStorage);
  }
}

TEST(DoctorStorage, AnOrdinaryDiskKeepsItsPromises) {
  const test::TemporaryFolder folder;
  const auto& path = folder.path();
  EXPECT_NE(check_commits(path).verdict, Verdict::kFailure);
  EXPECT_LT(std::abs(clock_offset_s(path)), 1);
  EXPECT_TRUE(fs::is_empty(path));
  EXPECT_EQ(check_threads_claims(path).verdict, Verdict::kOk);
}

TEST(DoctorStorage, EveryClaimIsWonOnce) {
  const test::TemporaryFolder folder;
  const std::string first = claim_all(folder.path());
  const std::string second = claim_all(folder.path());
  EXPECT_EQ(first, std::string(first.size(), '1'));
  EXPECT_EQ(second, std::string(first.size(), '0'));
}

TEST(DoctorStorage, AFullDiskIsFoundByWriting) {
  const test::TemporaryFolder folder;
  fs::create_symlink("/dev/full", folder.path() / "commit-0.part");
  const Check check = attempt("commits", [&] { return check_commits(folder.path()); });
  EXPECT_EQ(check.verdict, Verdict::kFailure);
  EXPECT_EQ(check.code, ErrorCode::kStorage);
  EXPECT_THAT(check.seen, HasSubstr("No space left on device"));
}

TEST(DoctorStorage, SpaceAndClock) {
  EXPECT_EQ(check_space(100'000'000'000).verdict, Verdict::kOk);
  EXPECT_EQ(check_space(1'000'000'000).verdict, Verdict::kWarning);
  EXPECT_EQ(check_space(1'000'000).verdict, Verdict::kFailure);
  EXPECT_EQ(check_space(1'000'000).code, ErrorCode::kStorage);
  EXPECT_EQ(check_clock(0.01).verdict, Verdict::kOk);
  EXPECT_EQ(check_clock(-2.0).verdict, Verdict::kWarning);
  EXPECT_THAT(check_clock(-2.0).seen, HasSubstr("2.000 s behind"));
}

// --- Film --------------------------------------------------------------------------------------

TEST(DoctorFilm, AnEncoderThatIsNotThereIsAFaultOfTheJob) {
  EXPECT_EQ(check_encoders({}).verdict, Verdict::kOk);
  const Check picture = check_encoders({.encoder = "libnothing"});
  EXPECT_EQ(picture.verdict, Verdict::kFailure);
  EXPECT_EQ(picture.code, ErrorCode::kUsage);
  EXPECT_THAT(picture.seen, HasSubstr("not there: libnothing"));
  EXPECT_EQ(check_encoders({.audio_codec = "nothing"}).verdict, Verdict::kFailure);
  EXPECT_EQ(check_encoders({.encoder = "copy"}).verdict, Verdict::kOk);
}

// --- Peers -------------------------------------------------------------------------------------

std::vector<Host> hosts_in(const test::TemporaryFolder& folder, const std::string& text) {
  const fs::path path = folder.path() / "hosts";
  std::ofstream(path) << text;
  return read_hosts(path);
}

TEST(DoctorPeers, AHostFileAsMpirunReadsIt) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(hosts_in(folder, "# all\n\n10.65.0.1 slots=8\n  pod_b.runpod.internal port=2222 # x\n"),
            (std::vector<Host>{{"10.65.0.1", 0}, {"pod_b.runpod.internal", 2222}}));
}

TEST(DoctorPeers, WhatIsNoHostNameIsRefused) {
  const test::TemporaryFolder folder;
  for (const std::string name : {"-oProxyCommand=x",
                                 "a;b",
                                 "$(x)",
                                 "a\\b",
                                 "root@a",
                                 ".a",
                                 "a/b",
                                 "\x1b[2J",
                                 "caf\xc3\xa9"}) {
    EXPECT_EQ(refused([&] { hosts_in(folder, "good\n" + name + " slots=1\n"); }, "hosts:2: "),
              ErrorCode::kUsage);
  }
  for (const std::string port : {"0", "65536", "x", "-1"}) {
    EXPECT_EQ(refused([&] { hosts_in(folder, "a port=" + port); }, "1 to 65535"),
              ErrorCode::kUsage);
  }
  EXPECT_EQ(refused([&] { hosts_in(folder, "# none\n"); }, "names no host"), ErrorCode::kUsage);
}

TEST(DoctorProcess, TellsStatusAndOutput) {
  const std::atomic<int> stop = 0;
  const auto result = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"}, 10, stop);
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_FALSE(result.late);
  EXPECT_EQ(refused([&] { run_process({"/nonexistent"}, 10, stop); }, "/nonexistent"),
            ErrorCode::kCluster);
}

TEST(DoctorProcess, IsEndedWithItsChildrenAtItsLimit) {
  const std::atomic<int> stop = 0;
  const auto begin = std::chrono::steady_clock::now();
  // The child holds the pipe; the second one has closed it.
  for (const char* script : {"sleep 60 & wait", "exec > /dev/null 2>&1; sleep 60"}) {
    const auto result = run_process({"sh", "-c", script}, 0.3, stop);
    EXPECT_TRUE(result.late);
    EXPECT_EQ(result.status, 128 + 9);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(DoctorProcess, IsEndedByAStop) {
  const std::atomic<int> stop = 1;
  EXPECT_EQ(refused(
                [&] {
                  run_process({"sleep", "60"}, 60, stop);
                },
                "stopped"),
            ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace vsr::launcher::doctor
