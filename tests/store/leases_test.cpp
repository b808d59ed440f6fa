#include "vsr/store/leases.hpp"

#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/disk_full.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <thread>

// The program's own link, rename and unlink, between the library and the system.
namespace {

enum class LinkAnswers { kTrue, kLost, kNone };
LinkAnswers link_answers = LinkAnswers::kTrue;
int calls_to_live = -1;  // the process ends before it makes the call when none are left

void call() {
  if (calls_to_live == 0) _exit(9);
  if (calls_to_live > 0) --calls_to_live;
}

}  // namespace

extern "C" int link(const char* from, const char* to) noexcept {
  call();
  if (link_answers == LinkAnswers::kNone) {
    errno = EPERM;
    return -1;
  }
  const int result = linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
  if (result != 0 || link_answers == LinkAnswers::kTrue) return result;
  errno = EEXIST;  // the answer went astray, the question was asked again
  return -1;
}

extern "C" int rename(const char* from, const char* to) noexcept {
  call();
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

extern "C" int unlink(const char* path) noexcept {
  call();
  return unlinkat(AT_FDCWD, path, 0);
}

namespace vsr::store {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kName = "segment-0007";
constexpr milliseconds kStale{1000};

// The words of a lease's line, in order: docs/run-directory.md.
enum Word { kOwner = 3, kHost, kPid, kStart, kPlace, kId, kCounter };

std::vector<std::string> words(const std::string& line) {
  std::istringstream text(line);
  return {std::istream_iterator<std::string>(text), {}};
}

std::string with_word(const std::string& line, Word word, const std::string& value) {
  auto all = words(line);
  all[word] = value;
  std::string changed = all[0];
  for (std::size_t i = 1; i < all.size(); ++i) changed += " " + all[i];
  return changed + "\n";
}

void put(const fs::path& path, const std::string& content) { std::ofstream(path) << content; }

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return format("{}: {}", to_string(error.code()), error.what());
  }
  return "no error";
}

// A process that runs `body`, ends without any destructor, and not after this one.
template <typename Body>
pid_t forked(Body body) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
  try {
    body();
  } catch (const std::exception& error) {
    fprintf(stderr, "child: %s\n", error.what());
    _exit(1);
  }
  _exit(0);
}

int status_of(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

class LeasesTest : public ::testing::Test {
 protected:
  // A job on a host of its own: processes are not looked at.
  Leases job(const std::string& owner) { return Leases(folder(), owner, settings()); }

  LeaseSettings settings() {
    LeaseSettings settings;
    settings.stale_after = kStale;
    settings.judge_processes = false;
    settings.now = [this] {
      if (at_look_) at_look_();
      return steady_clock::time_point(milliseconds(now_ms_.load()));
    };
    return settings;
  }

  fs::path folder() const { return folder_.path() / "leases"; }

  fs::path file(const std::string& name = kName) const { return folder() / (name + ".lease"); }

  // By whom a lease is claimed that somebody takes over or releases.
  fs::path claim_on(const std::string& line) const {
    return folder() / (words(line)[kId] + ".claim");
  }

  void pass(milliseconds time) { now_ms_ += time.count(); }

  // Looks at what is there until it has been unchanged for nearly long enough.
  void watch(Leases& leases, const std::string& name = kName) {
    EXPECT_FALSE(leases.take(name).taken);
    for (int i = 0; i < 9; ++i) {
      pass(kStale / 10);
      EXPECT_FALSE(leases.take(name).taken) << i;
    }
    pass(kStale / 10);
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // While a lease is taken over, at the instant when it has been found stale and is about to be
  // claimed, or when it is claimed, was looked at again and is about to be replaced.
  enum Instant { kBeforeTheClaim = 3, kBeforeTheRename = 5 };

  // Has `leases` take over what it has watched, with something happening meanwhile.
  Taking take_over(Leases& leases, Instant instant, const std::function<void()>& meanwhile) {
    int looks = 0;
    at_look_ = [&] {
      if (++looks == instant) meanwhile();
    };
    Taking taking = leases.take(kName);
    EXPECT_GE(looks, instant);
    at_look_ = nullptr;
    return taking;
  }

  // A line of somebody who is not there.
  static std::string line_of(const std::string& owner, const std::string& like) {
    return with_word(with_word(like, kOwner, owner), kId, "0123456789abcdef");
  }

  test::TemporaryFolder folder_;
  std::atomic<std::int64_t> now_ms_{1'000'000};
  std::function<void()> at_look_;  // called before and after a look at a file
};

TEST_F(LeasesTest, OneTakerAndWhoHasIt) {
  auto a = job("host-a-1");
  auto b = job("host-b-2");
  EXPECT_TRUE(a.take(kName).taken);
  EXPECT_TRUE(a.take(kName).taken) << "held already";
  const Taking taking = b.take(kName);
  EXPECT_FALSE(taking.taken);
  EXPECT_EQ(taking.holder.owner, "host-a-1");
  EXPECT_EQ(taking.holder.pid, getpid());
  EXPECT_FALSE(taking.holder.host.empty());
  EXPECT_TRUE(b.take("final").taken);
  EXPECT_THAT(files(), ElementsAre("final.lease", "segment-0007.lease"));

  EXPECT_FALSE(b.release(kName)) << "another's";
  EXPECT_TRUE(a.release(kName));
  EXPECT_FALSE(a.release(kName));
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_THAT(a.renew(), IsEmpty()) << "what was released is not lost";
}

TEST_F(LeasesTest, DestructorReleasesWhatIsHeld) {
  {
    auto a = job("a");
    a.take(kName);
    a.take("final");
  }
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LeasesTest, NamesAreStrict) {
  auto a = job("a");
  for (const char* bad : {"", "../x", "a/b", "/etc/x", ".", "a.b", "A", "a b", "a\n", "\xc3\xa4"}) {
    EXPECT_THAT(error_of([&] { a.take(bad); }), HasSubstr("internal")) << bad;
    EXPECT_THAT(error_of([&] { a.release(bad); }), HasSubstr("cannot name a lease")) << bad;
    EXPECT_THAT(error_of([&] { job(format("o{} ", bad)); }), HasSubstr("cannot own")) << bad;
  }
  EXPECT_THROW(a.take(std::string(65, 'a')), Error);
  EXPECT_TRUE(a.take(std::string(64, 'a')).taken);
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(LeasesTest, StaleWhenUnchangedForLong) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  pass(10 * kStale);
  EXPECT_FALSE(b.take(kName).taken) << "was not watched";
  pass(kStale * 9 / 10);
  EXPECT_FALSE(b.take(kName).taken) << "half of it counts";
  pass(kStale * 4 / 10);
  EXPECT_FALSE(b.take(kName).taken);
  pass(kStale * 1 / 10);
  EXPECT_TRUE(b.take(kName).taken);
}

TEST_F(LeasesTest, StoppedObserverHasNotWatched) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  watch(b);
  pass(kStale * 1000);
  a.renew();
  EXPECT_FALSE(b.take(kName).taken);
  pass(kStale * 1000);  // nobody reached the file server
  EXPECT_FALSE(b.take(kName).taken);
  a.renew();
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
}

TEST_F(LeasesTest, WhoRenewsKeeps) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(a.renew(), IsEmpty());
    for (int look = 0; look < 4; ++look) {
      EXPECT_FALSE(b.take(kName).taken);
      pass(kStale / 5);
    }
  }
}

TEST_F(LeasesTest, SlowOwnerLearnsThatItLost) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  a.take("final");
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  const std::string of_b = read_file(file());
  EXPECT_THAT(a.renew(), ElementsAre(kName));
  EXPECT_EQ(read_file(file()), of_b);
  EXPECT_THAT(a.renew(), IsEmpty()) << "told once";
  EXPECT_FALSE(a.release(kName));
  EXPECT_EQ(read_file(file()), of_b);
  EXPECT_FALSE(a.take(kName).taken);
  EXPECT_THAT(b.renew(), IsEmpty());
}

TEST_F(LeasesTest, WhatAnotherReleasedIsNotBroughtBack) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_TRUE(b.release(kName));
  EXPECT_THAT(a.renew(), ElementsAre(kName));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(LeasesTest, SlowOwnerThatReleasesLeavesWhatIsAnothers) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_FALSE(a.release(kName));
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// Files stamped by a clock that is hours off, as seen from here.
TEST_F(LeasesTest, ClocksDoNotMatter) {
  const auto stamp = [&](int hours) {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += 3600L * hours;
    const std::array<timespec, 2> times{time, time};
    ASSERT_EQ(utimensat(AT_FDCWD, file().c_str(), times.data(), 0), 0);
  };
  for (const int hours : {-30000, -5, 5, 30000}) {
    auto a = job("a");
    auto b = job("b");
    ASSERT_TRUE(a.take(kName).taken);
    for (int i = 0; i < 10; ++i) {
      EXPECT_THAT(a.renew(), IsEmpty());
      stamp(hours);
      EXPECT_FALSE(b.take(kName).taken) << hours;
      pass(kStale / 2);
      EXPECT_FALSE(b.take(kName).taken) << hours;
      pass(kStale / 4);
    }
    stamp(hours);
    watch(b);
    EXPECT_TRUE(b.take(kName).taken) << hours;
    EXPECT_THAT(a.renew(), ElementsAre(kName));
  }
}

// Times that stand still, as on a server that stamps nothing.
TEST_F(LeasesTest, CounterAloneShowsThatTheOwnerLives) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  const std::array<timespec, 2> times{};
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(a.renew(), IsEmpty());
    ASSERT_EQ(utimensat(AT_FDCWD, file().c_str(), times.data(), 0), 0);
    EXPECT_FALSE(b.take(kName).taken);
    pass(kStale / 2);
  }
}

TEST_F(LeasesTest, DamagedFilesAreHeldByUnknownUntilStale) {
  std::string whole;
  {
    auto ghost = job("ghost");
    ghost.take(kName);
    whole = read_file(file());
  }
  const std::string evil = with_word(whole, kId, "../../../../evil");
  for (const std::string& content : {std::string(),
                                     std::string("garbage\n"),
                                     whole.substr(0, whole.size() / 2),
                                     whole.substr(0, whole.size() - 1),
                                     whole + whole,
                                     evil,
                                     std::string(5000, 'x'),
                                     std::string(3000, '\0')}) {
    auto a = job("a");
    put(file(), content);
    const Taking taking = a.take(kName);
    EXPECT_FALSE(taking.taken) << content;
    EXPECT_EQ(taking.holder.owner, "unknown");
    EXPECT_EQ(a.list().size(), 1U);
    watch(a);
    EXPECT_TRUE(a.take(kName).taken) << content;
    EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
    put(file(), content);
    EXPECT_THAT(a.renew(), ElementsAre(kName)) << "cannot tell whose it is";
    EXPECT_EQ(read_file(file()), content);
  }
}

TEST_F(LeasesTest, DeadProcessOfThisHostIsSeenAtOnce) {
  LeaseSettings here = settings();
  here.judge_processes = true;
  std::array<int, 2> ready{};
  ASSERT_EQ(pipe(ready.data()), 0);
  const pid_t child = forked([&] {
    Leases leases(folder(), "child", here);
    const char taken = leases.take(kName).taken ? 'y' : 'n';
    if (write(ready[1], &taken, 1) == 1) pause();
  });
  char taken = '?';
  EXPECT_EQ(read(ready[0], &taken, 1), 1);
  EXPECT_EQ(taken, 'y');
  Leases a(folder(), "a", here);
  EXPECT_EQ(a.take(kName).holder.pid, child) << "lives";
  kill(child, SIGKILL);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const std::string line = read_file(file());
  if (words(line)[kPlace] == "-") GTEST_SKIP() << "no /proc that tells where a process is";
  EXPECT_FALSE(job("elsewhere").take(kName).taken);
  EXPECT_TRUE(a.list().at(0).stale);
  EXPECT_TRUE(a.take(kName).taken) << "a zombie works no more";
  status_of(child);
  a.release(kName);
  put(file(), line);
  EXPECT_TRUE(a.take(kName).taken) << "gone";
  a.release(kName);

  put(file(), with_word(line, kPlace, "another-boot:4026531836"));
  EXPECT_FALSE(a.take(kName).taken) << "another machine's process of that number";
  put(file(), with_word(line, kPlace, "-"));
  EXPECT_FALSE(a.take(kName).taken) << "nobody knows where";

  // This process may have begun in the same tick as the child.
  const std::string ours = with_word(with_word(line, kPid, std::to_string(getpid())), kStart, "1");
  put(file(), ours);
  EXPECT_TRUE(a.take(kName).taken) << "a later process got the number";
  close(ready[0]);
  close(ready[1]);
}

// Interleavings of Note [Takeover], by their numbers there.

// 1, and 7: whoever made the claim died.
TEST_F(LeasesTest, ClaimOfADeadTakerDelaysByItsOwnAge) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  const std::string stale = read_file(file());
  watch(b);
  put(claim_on(stale), line_of("dead-taker", stale));
  EXPECT_EQ(b.take(kName).holder.owner, "dead-taker");
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_THAT(a.renew(), ElementsAre(kName));
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// No crash leaves such.
TEST_F(LeasesTest, ClaimOnItselfIsSweptAway) {
  auto a = job("a");
  auto b = job("b");
  a.take(kName);
  const std::string stale = read_file(file());
  put(claim_on(stale), stale);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(b.take(kName).taken);
    pass(kStale / 2);
  }
  EXPECT_FALSE(b.take(kName).taken);
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 2
TEST_F(LeasesTest, ReplacedBetweenTheLookAndTheClaim) {
  auto ghost = job("ghost");
  auto a = job("a");
  auto b = job("b");
  ghost.take(kName);
  for (int i = 0; i < 3; ++i) {
    a.list();
    b.list();
    pass(kStale / 2);
  }
  bool taken = false;
  const Taking taking = take_over(b, kBeforeTheClaim, [&] { taken = a.take(kName).taken; });
  EXPECT_TRUE(taken);
  EXPECT_EQ(taking.holder.owner, "a");
  EXPECT_THAT(a.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 3
TEST_F(LeasesTest, RenewedBetweenTheLookAndTheClaim) {
  auto owner = job("owner");
  auto a = job("a");
  owner.take(kName);
  watch(a);
  const Taking taking =
      take_over(a, kBeforeTheClaim, [&] { EXPECT_THAT(owner.renew(), IsEmpty()); });
  EXPECT_EQ(taking.holder.owner, "owner");
  EXPECT_THAT(owner.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 4
TEST_F(LeasesTest, RenewedJustBeforeItIsReplaced) {
  auto owner = job("owner");
  auto a = job("a");
  owner.take(kName);
  watch(a);
  const Taking taking =
      take_over(a, kBeforeTheRename, [&] { EXPECT_THAT(owner.renew(), IsEmpty()); });
  EXPECT_TRUE(taking.taken);
  EXPECT_THAT(owner.renew(), ElementsAre(kName));
  EXPECT_THAT(a.renew(), IsEmpty());
}

// 5
TEST_F(LeasesTest, ReleasedJustBeforeItIsReplaced) {
  auto owner = job("owner");
  auto a = job("a");
  owner.take(kName);
  watch(a);
  const Taking taking = take_over(a, kBeforeTheRename, [&] { EXPECT_FALSE(owner.release(kName)); });
  EXPECT_TRUE(taking.taken);
  EXPECT_THAT(a.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 6
TEST_F(LeasesTest, ReleasedAndTakenBetweenTheLookAndTheClaim) {
  auto owner = job("owner");
  auto a = job("a");
  auto third = job("third");
  owner.take(kName);
  watch(a);
  const Taking taking = take_over(a, kBeforeTheClaim, [&] {
    EXPECT_TRUE(owner.release(kName));
    EXPECT_TRUE(third.take(kName).taken);
  });
  EXPECT_EQ(taking.holder.owner, "third");
  EXPECT_THAT(third.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 8, as B sees it: A's rename takes B's line from the claim to its place.
TEST_F(LeasesTest, SleeperRenamesTheClaimOfWhoReplacedHis) {
  auto owner = job("owner");
  auto b = job("b");
  owner.take(kName);
  const std::string stale = read_file(file());
  const fs::path claim = claim_on(stale);
  put(claim, line_of("a", stale));
  watch(b);
  bool renamed = false;
  at_look_ = [&] {
    std::ifstream text(claim);
    std::string line;
    if (renamed || !std::getline(text, line) || words(line)[kOwner] != "b") return;
    renamed = true;
    fs::rename(claim, file());
  };
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_TRUE(renamed);
  at_look_ = nullptr;
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 8, as A sees it.
TEST_F(LeasesTest, SleeperIsToldOfWhoReplacedHisClaim) {
  auto owner = job("owner");
  auto a = job("a");
  owner.take(kName);
  const std::string stale = read_file(file());
  watch(a);
  const Taking taking = take_over(a, kBeforeTheRename, [&] {
    const fs::path next = folder() / "next";
    put(next, line_of("b", stale));
    fs::rename(next, claim_on(stale));
  });
  EXPECT_FALSE(taking.taken);
  EXPECT_EQ(taking.holder.owner, "b");
  EXPECT_EQ(read_file(file()), line_of("b", stale));
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

// 9
TEST_F(LeasesTest, SleeperAwakesWhenAllIsDone) {
  auto owner = job("owner");
  auto a = job("a");
  auto b = job("b");
  owner.take(kName);
  watch(a);
  const Taking taking = take_over(a, kBeforeTheRename, [&] {
    watch(b);  // the lease and the claim
    EXPECT_TRUE(b.take(kName).taken);
  });
  EXPECT_FALSE(taking.taken);
  EXPECT_EQ(taking.holder.owner, "b");
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

TEST_F(LeasesTest, LeftoversGoWhenOldAndNothingElseDoes) {
  auto a = job("a");
  a.take(kName);
  for (const char* name : {"0123456789abcdef.part", "0123456789abcdef.claim", "notes.txt"}) {
    put(folder() / name, "");
  }
  EXPECT_EQ(files().size(), 4U);
  a.renew();
  pass(kStale / 2);
  put(folder() / "0123456789abcdef.part", "fresh");
  a.renew();
  pass(kStale / 2);
  a.renew();
  EXPECT_THAT(files(), ElementsAre("0123456789abcdef.part", "notes.txt", "segment-0007.lease"));
  pass(kStale / 2);
  a.renew();
  EXPECT_THAT(files(), ElementsAre("notes.txt", "segment-0007.lease"));
}

TEST_F(LeasesTest, ListTellsWhoAndForHowLong) {
  auto a = job("a");
  auto b = job("b");
  EXPECT_THAT(a.list(), IsEmpty());
  a.take("segment-0001");
  b.take("segment-0000");
  put(folder() / "Not a lease.lease", "x");
  put(folder() / "0123456789abcdef.part", "x");
  a.list();
  pass(milliseconds(300));
  b.renew();
  const auto leases = a.list();
  ASSERT_EQ(leases.size(), 2U);
  EXPECT_EQ(leases[0].name, "segment-0000");
  EXPECT_EQ(leases[0].owner, "b");
  EXPECT_FALSE(leases[0].ours);
  EXPECT_EQ(leases[0].unchanged.count(), 0);
  EXPECT_EQ(leases[1].name, "segment-0001");
  EXPECT_EQ(leases[1].pid, getpid());
  EXPECT_TRUE(leases[1].ours);
  EXPECT_EQ(leases[1].unchanged.count(), 300);
  for (int i = 0; i < 3; ++i) {
    pass(kStale / 2);
    a.list();
  }
  EXPECT_TRUE(a.list()[0].stale);
  EXPECT_FALSE(a.list()[1].stale) << "ours";
}

TEST_F(LeasesTest, RenewTriesAllBeforeItThrows) {
  auto a = job("a");
  for (const char* name : {"chunk-1", "chunk-2", "chunk-3"}) a.take(name);
  const std::string before = read_file(file("chunk-3"));
  fs::remove(file("chunk-1"));
  fs::remove(file("chunk-2"));
  fs::create_directory(file("chunk-2"));
  EXPECT_THAT(error_of([&] { a.renew(); }), HasSubstr("storage: " + file("chunk-2").string()));
  EXPECT_NE(read_file(file("chunk-3")), before);
  fs::remove(file("chunk-2"));
  EXPECT_THAT(a.renew(), ElementsAre("chunk-1", "chunk-2"));
  EXPECT_THAT(a.renew(), IsEmpty());
}

// A server that carried out a link whose answer was lost refuses it when asked again.
TEST_F(LeasesTest, LostAnswersAreSeenThrough) {
  auto a = job("a");
  auto b = job("b");
  link_answers = LinkAnswers::kLost;
  EXPECT_TRUE(a.take(kName).taken);
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  link_answers = LinkAnswers::kTrue;
  EXPECT_THAT(a.renew(), ElementsAre(kName));
  EXPECT_THAT(b.renew(), IsEmpty());
  EXPECT_THAT(files(), ElementsAre("segment-0007.lease"));
}

TEST_F(LeasesTest, FileSystemWithoutHardLinksIsFoundOut) {
  link_answers = LinkAnswers::kNone;
  auto a = job("a");
  auto b = job("b");
  EXPECT_TRUE(a.take(kName).taken);
  EXPECT_FALSE(b.take(kName).taken);
  watch(b);
  EXPECT_TRUE(b.take(kName).taken);
  EXPECT_TRUE(b.release(kName));
  link_answers = LinkAnswers::kTrue;
  EXPECT_THAT(files(), IsEmpty());
}

// A process that ends before each single step of all it can do: others have everything after
// `stale_after`, and nothing stays.
TEST_F(LeasesTest, DeathBeforeAnyCallDelaysByStaleAfterAndLeavesNothing) {
  bool lived = false;
  int calls = 0;
  for (; !lived; ++calls) {
    SCOPED_TRACE(calls);
    ASSERT_LT(calls, 100);
    fs::remove_all(folder());
    auto ghost = std::make_optional<Leases>(folder(), "ghost", settings());
    ghost->take("stale");
    const std::string stale = read_file(file("stale"));
    ghost.reset();
    put(file("stale"), stale);
    const pid_t child = forked([&] {
      auto doomed = job("doomed");
      doomed.take("stale");
      pass(kStale / 2);
      doomed.take("stale");
      put(claim_on(stale), line_of("dead-taker", stale));
      doomed.take("stale");
      pass(kStale / 2);
      doomed.take("stale");
      pass(kStale / 2);
      calls_to_live = calls;
      if (!doomed.take("stale").taken) _exit(1);  // over the lease and the claim of a dead one
      doomed.take("free");
      doomed.renew();
      doomed.release("stale");
      doomed.release("free");
      calls_to_live = -1;
    });
    const int status = status_of(child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_THAT(WEXITSTATUS(status), ::testing::AnyOf(0, 9));
    lived = WEXITSTATUS(status) == 0;

    auto b = job("b");
    for (int i = 0; i < 2; ++i) {
      for (const char* name : {"stale", "free"}) b.take(name);
      b.renew();
      pass(kStale / 2);
    }
    b.renew();
    EXPECT_TRUE(b.take("free").taken);
    EXPECT_TRUE(b.take("stale").taken);
    b.renew();
    EXPECT_THAT(files(), ElementsAre("free.lease", "stale.lease"));
  }
  EXPECT_GE(calls, 14);
  std::cout << "ended before each of " << calls - 1 << " calls\n";
}

// File systems that refuse, in a mount namespace of the child's own. Whom permissions stop comes
// last, since nobody comes back from there.
TEST_F(LeasesTest, FileSystemsThatRefuse) {
  fs::create_directories(folder());
  constexpr uid_t kNobody = 65534;
  constexpr int kNoNamespace = 77;
  using std::filesystem::perms;
  fs::permissions(folder_.path(), perms::all);
  const pid_t child = forked([&] {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", folder().c_str(), "tmpfs", 0, "nr_inodes=3,mode=0777") != 0) {
      _exit(kNoNamespace);
    }
    const auto expect = [](const std::string& said, const std::string& what, const char* to_do) {
      if (said.find(what) != std::string::npos && said.find(to_do) != std::string::npos) return;
      throw std::runtime_error(said);
    };
    auto a = job("a");
    // Room for three names here, one of which is the folder's: the next lease can be written, not
    // linked.
    a.take(kName);
    const auto take = [&] { a.take("final"); };
    expect(error_of(take), "storage: " + folder().string(), "free some space");
    bool full = false;
    try {
      take();
    } catch (const DiskFull&) {
      full = true;
    }
    if (!full) throw std::runtime_error("not known as a full disk");
    if (a.list().size() != 1 || files().size() != 1) throw std::runtime_error("left something");
    if (!a.renew().empty()) throw std::runtime_error("lost without a reason");

    const auto remount = [&](unsigned long flags) {
      if (mount("none", folder().c_str(), nullptr, MS_REMOUNT | flags, "nr_inodes=9") != 0) {
        throw std::runtime_error("cannot remount");
      }
    };
    remount(MS_RDONLY);
    expect(error_of(take), "Read-only", "mount it writable, or give another --run.dir");
    expect(error_of([&] { a.renew(); }), "segment-0007.lease: cannot be renewed", "--run.dir");
    auto b = job("b");
    if (b.take(kName).holder.owner != "a") throw std::runtime_error("cannot look");
    remount(0);
    if (!a.renew().empty()) throw std::runtime_error("lost though it only could not be renewed");

    fs::permissions(folder(), perms::owner_all | perms::others_read | perms::others_exec);
    if (seteuid(kNobody) != 0) throw std::runtime_error("cannot become nobody");
    expect(error_of(take), "Permission denied", "of one user, or of a group");
    expect(error_of([&] { a.renew(); }), "cannot be renewed", "of one user, or of a group");
    if (seteuid(0) != 0) throw std::runtime_error("cannot come back");
  });
  const int status = status_of(child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoNamespace) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  EXPECT_EQ(status, 0);
}

// Races, on a file system with hard links and as if on one without.
class LeaseRace : public LeasesTest, public ::testing::WithParamInterface<bool> {
 protected:
  LeaseSettings race_settings() {
    LeaseSettings race = settings();
    race.hard_links = GetParam();
    return race;
  }
};

INSTANTIATE_TEST_SUITE_P(Races, LeaseRace, ::testing::Bool(), [](const auto& test) {
  return test.param ? "HardLinks" : "NoHardLinks";
});

TEST_P(LeaseRace, ManyProcessesForTheSameNames) {
  constexpr int kProcesses = 8;
  constexpr int kNames = 50;
  std::array<int, 2> start{};
  std::array<int, 2> result{};
  ASSERT_EQ(pipe(start.data()), 0);
  ASSERT_EQ(pipe(result.data()), 0);
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    children.push_back(forked([&] {
      close(start[1]);
      Leases leases(folder(), unique_owner(), race_settings());
      char byte = 0;
      if (read(start[0], &byte, 1) != 0) _exit(1);  // ends when all are there
      for (int i = 0; i < kNames; ++i) {
        if (!leases.take(format("segment-{:04d}", i)).taken) continue;
        const std::array<char, 2> won{static_cast<char>(process), static_cast<char>(i)};
        if (write(result[1], won.data(), won.size()) != 2) _exit(1);
      }
      _exit(leases.renew().empty() ? 0 : 2);  // without releasing
    }));
  }
  close(start[0]);
  close(start[1]);
  close(result[1]);
  std::map<int, int> winner;
  std::array<char, 2> won{};
  while (read(result[0], won.data(), won.size()) == 2) {
    EXPECT_TRUE(winner.emplace(won[1], won[0]).second) << "segment " << int{won[1]} << " twice";
  }
  close(result[0]);
  for (const pid_t child : children) EXPECT_EQ(status_of(child), 0);
  EXPECT_EQ(winner.size(), std::size_t{kNames});
  const auto leases = job("display").list();
  ASSERT_EQ(leases.size(), std::size_t{kNames});
  for (int i = 0; i < kNames; ++i) {
    const Lease& lease = leases[static_cast<std::size_t>(i)];
    EXPECT_EQ(lease.pid, children[static_cast<std::size_t>(winner[i])]);
  }
  EXPECT_EQ(files().size(), std::size_t{kNames}) << "something was left";
}

// Threads with a Leases each, which share nothing but the files.
TEST_P(LeaseRace, ManyTakersOfOneStaleLease) {
  constexpr int kTakers = 6;
  constexpr int kRounds = 300;
  constexpr int kTries = 5;  // the losers come back at once
  fs::create_directories(folder());
  auto ghost = std::make_optional<Leases>(folder(), "ghost", race_settings());
  ASSERT_TRUE(ghost->take(kName).taken);
  const std::string ghosts = read_file(file());
  ghost.reset();

  std::vector<std::unique_ptr<Leases>> jobs;
  for (int i = 0; i < kTakers; ++i) {
    jobs.push_back(std::make_unique<Leases>(folder(), format("job-{}", i), race_settings()));
  }
  std::atomic<int> early{0};
  std::array<std::atomic<int>, kRounds> wins{};
  std::array<std::atomic<int>, kRounds> lost{};
  std::array<std::atomic<int>, kRounds> wrong{};
  int round = 0;
  const auto next_step = [&, step = 0]() mutable noexcept {
    // Steps of a round: two looks before it is stale, the race, tidying up.
    step = (step + 1) % 5;
    if (step == 2 || step == 3) pass(kStale / 2);
    if (step == 0) ++round;
    if (step == 1) put(file(), with_word(ghosts, kId, format("{:016x}", round)));
  };
  std::barrier all(kTakers, next_step);
  std::vector<std::thread> threads;
  for (int i = 0; i < kTakers; ++i) {
    threads.emplace_back([&, i] {
      Leases& leases = *jobs[static_cast<std::size_t>(i)];
      for (int r = 0; r < kRounds; ++r) {
        const auto at = static_cast<std::size_t>(r);
        for (int look = 0; look < 2; ++look) {
          all.arrive_and_wait();
          if (leases.take(kName).taken) ++early;
        }
        all.arrive_and_wait();
        bool won = false;
        for (int attempt = 0; attempt < kTries && !won; ++attempt) won = leases.take(kName).taken;
        if (won) ++wins[at];
        all.arrive_and_wait();
        if (!leases.renew().empty()) ++lost[at];
        const auto listed = leases.list();
        if (listed.size() != 1 || listed[0].ours != won) ++wrong[at];
        all.arrive_and_wait();
        if (won && !leases.release(kName)) ++wrong[at];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(early, 0);
  for (std::size_t r = 0; r < kRounds; ++r) {
    EXPECT_EQ(wins[r], 1) << "round " << r;
    EXPECT_EQ(lost[r], 0) << "round " << r;
    EXPECT_EQ(wrong[r], 0) << "round " << r;
  }
  EXPECT_THAT(files(), IsEmpty()) << "something was left";
}

// Processes that do nothing but take, take over, renew and release are killed at any instant and
// replaced. What they leave must not keep the last one from getting everything.
TEST_P(LeaseRace, KilledAnywhereOthersGoOn) {
  constexpr int kKills = 60;
  constexpr int kNames = 3;
  LeaseSettings fast;
  fast.stale_after = milliseconds(8);
  fast.hard_links = GetParam();
  const auto work = [&](bool judge) {
    LeaseSettings mine = fast;
    mine.judge_processes = judge;
    Leases leases(folder(), unique_owner(), mine);
    for (int turn = 0;; ++turn) {
      for (int i = 0; i < kNames; ++i) leases.take(format("chunk-{}", i));
      leases.renew();
      leases.release(format("chunk-{}", turn % kNames));
    }
  };
  std::array<pid_t, 3> children{};
  bool judge = false;
  const auto start_one = [&](pid_t& child) {
    judge = !judge;
    child = forked([&] { work(judge); });
  };
  const auto end_one = [](pid_t child) {
    kill(child, SIGKILL);
    EXPECT_EQ(status_of(child), SIGKILL);
  };
  for (pid_t& child : children) start_one(child);
  std::minstd_rand random(::testing::UnitTest::GetInstance()->random_seed() + 1);
  for (int i = 0; i < kKills; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(500 + random() % 6000));
    pid_t& child = children[random() % children.size()];
    end_one(child);
    start_one(child);
  }
  for (const pid_t child : children) end_one(child);

  fast.judge_processes = false;
  Leases last(folder(), "last", fast);
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  int taken = 0;
  bool clean = false;
  while ((taken < kNames || !clean) && steady_clock::now() < deadline) {
    taken = 0;
    for (int i = 0; i < kNames; ++i) taken += last.take(format("chunk-{}", i)).taken ? 1 : 0;
    EXPECT_THAT(last.renew(), IsEmpty());
    clean = files().size() == kNames;
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(taken, kNames);
  EXPECT_TRUE(clean) << "left: " << ::testing::PrintToString(files());
}

}  // namespace
}  // namespace vsr::store
