// What a bad file may not do: crash, hang, or take memory. Every file of golden/bad with what is
// to be said of it, and some thousand mutations of good files; in a child process under a limit of
// memory, so that a crash is a failed test.
#include "checkpoint/tensor_file.hpp"
#include "checkpoint_files.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/model/checkpoint.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <string>

namespace vsr::model {
namespace {

using namespace test;

// AddressSanitizer maps terabytes of address space; no limit then.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLimits = false;
#else
constexpr bool kLimits = true;
#endif

// Runs `step` in a child that may take `more_bytes` of memory beyond what it has; gives its text,
// or how it ended otherwise.
std::string in_child(std::uint64_t more_bytes, const std::function<std::string()>& step) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    if (kLimits) {
      std::uint64_t pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      const rlim_t limit = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) + more_bytes;
      const rlimit both{limit, limit};
      setrlimit(RLIMIT_AS, &both);
    }
    std::string text;
    try {
      text = step();
    } catch (const std::exception& error) {
      text = format("threw {}", error.what());
    }
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t put = write(ends[1], text.data() + done, text.size() - done);
      if (put <= 0) break;
      done += static_cast<std::size_t>(put);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? text : format("ended with status {}: {}", status, text);
}

// "tensors: ...", where the container itself is refused; "network: ..." where its content is; "ok".
std::string verdict(const std::filesystem::path& path) {
  try {
    read_tensor_file(path);
  } catch (const Error& error) {
    return format(
        "{}tensors: {}", error.code() == ErrorCode::kModel ? "" : "not kModel ", error.what());
  }
  try {
    Checkpoint::read(path);
  } catch (const Error& error) {
    return format(
        "{}network: {}", error.code() == ErrorCode::kModel ? "" : "not kModel ", error.what());
  }
  return "ok";
}

// Name to a regular expression for the verdict; the table in golden/bad/README.md.
const std::map<std::string, std::string> kBad = {
    {"ok_tiny", "network: .*key .* is missing"},
    {"ok_tiny_legacy", "network: .*key .* is missing"},
    {"empty", "tensors: .*empty"},
    {"junk", "tensors: .*unknown format"},
    {"html", "tensors: .*unknown format"},
    {"zip_cut_in_data", "tensors: .*truncated"},
    {"zip_cut_tail", "tensors: .*truncated"},
    {"zip_crc", "tensors: .*archive/data/.*CRC"},
    {"zip_crc_pickle", "tensors: .*data.pkl.*CRC"},
    {"zip_no_pickle", "tensors: .*no data.pkl"},
    {"zip_no_storage", "tensors: .*storage '1' is missing"},
    {"zip_short_storage", "tensors: .*storage '0' is too short"},
    {"zip_long_storage", "tensors: .*storage '0' is too long"},
    {"zip_two_roots", "tensors: .*ambiguous"},
    {"zip_same_entry_twice", "tensors: .*ambiguous.*archive/data/0"},
    {"zip_dotdot", "network: .*key .* is missing"},  // those entries are ignored
    {"zip_key_leaves", "tensors: .*storage .*hostname' is missing"},
    {"zip_deflated", "tensors: .*compressed"},
    {"zip_bomb", "tensors: .*compressed"},
    {"zip_big_endian", "tensors: .*byte order 'big'"},
    {"zip_version_99", "tensors: .*version '99'"},
    {"pickle_os_system", "tensors: .*global 'posix.system' is not allowed"},
    {"pickle_os_system_beside", "tensors: .*global 'posix.system' is not allowed"},
    {"pickle_stack_global", "tensors: .*global 'builtins.eval' is not allowed"},
    {"pickle_inst", "tensors: .*opcode 0x69 is not allowed"},
    {"pickle_unknown_global", "tensors: .*global 'some.module.Thing' is not allowed"},
    {"pickle_getattr", "tensors: .*global 'builtins.getattr' is not allowed"},
    {"pickle_deep", "tensors: .*no dict"},
    {"pickle_deep_lists", "tensors: .*no dict"},
    {"pickle_cycle", "tensors: .*entry 'state_dict' is no tensor"},
    {"pickle_no_stop", "tensors: .*pickle.*truncated"},
    {"pickle_bad_memo", "tensors: .*memo .* never put"},
    {"pickle_underflow", "tensors: .*empty stack"},
    {"pickle_no_mark", "tensors: .*mark"},
    {"pickle_huge_string", "tensors: .*truncated: 4294967295 bytes"},
    {"pickle_huge_long", "tensors: .*truncated: 2147483647 bytes"},
    {"pickle_huge_memo", "tensors: .*no state_dict"},
    {"pickle_protocol_9", "tensors: .*protocol 9"},
    {"pickle_list", "tensors: .*no state_dict"},
    {"pickle_key_not_string", "tensors: .*key .* no string"},
    {"tensor_huge_shape", "tensors: .*outside its storage"},
    {"tensor_overflow", "tensors: .*overflow"},
    {"tensor_overflow_stride", "tensors: .*overflow"},
    {"tensor_zero_stride", "tensors: .*too big"},
    {"tensor_huge_storage", "tensors: .*storage '0' is too short"},
    {"tensor_negative_size", "tensors: .*negative size -2"},
    {"tensor_negative_offset", "tensors: .*negative storage offset -1"},
    {"tensor_offset_outside", "tensors: .*outside its storage"},
    {"tensor_rank_mismatch", "tensors: .*2 sizes but 1 strides"},
    {"tensor_unknown_storage", "tensors: .*dtype .*torch.WeirdStorage"},
    {"tensor_complex", "tensors: .*dtype .*torch.ComplexFloatStorage"},
    {"legacy_cut_in_storage", "tensors: .*truncated"},
    {"legacy_cut_in_pickle", "tensors: .*truncated"},
    {"legacy_magic", "tensors: .*unknown format"},
    {"legacy_protocol", "tensors: .*version 1002"},
    {"legacy_huge_storage", "tensors: .*1099511627776 elements announced"},
    {"legacy_count_mismatch", "tensors: .*5 elements announced before it, 6 in the pickle"},
    {"legacy_negative_count", "tensors: .*-1 elements announced"},
    {"legacy_key_missing", "tensors: .*storage '1' is missing"},
    {"legacy_os_system", "tensors: .*global 'posix.system' is not allowed"},
    {"ok_network", "ok"},
    {"net_missing_key", "network: .*'backbone.forward_2.main.2.1.conv2.bias' is missing"},
    {"net_extra_key", "network: .*unknown key 'generator.fusion.weight'"},
    {"net_wrong_shape", "network: .*'generator.conv_last.weight': shape \\(3,64,1,1\\)"},
    {"net_int64", "network: .*'generator.conv_last.weight': dtype int64"},
    {"net_nan", "network: .*'generator.conv_last.weight': .* NaN"},
    {"net_inf", "network: .*'generator.conv_last.bias': .* infinite"},
    {"net_block_gap", "network: .*'backbone.backward_1.main.2.1.conv1.bias' is missing"},
    {"net_uneven_blocks", "network: .*'backbone.forward_1.main.2.1.conv1.bias' is missing"},
};

std::vector<std::string> bad_names() {
  std::vector<std::string> names;
  for (const auto& [name, what] : kBad) names.push_back(name);
  return names;
}

class BadCheckpoints : public testing::TestWithParam<std::string> {};

TEST_P(BadCheckpoints, SaysWhyWithinAFewMegabytes) {
  const auto shared = vsr::test::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared golden data";
  const auto path = *shared / "golden" / "bad" / (GetParam() + ".pth");
  constexpr std::uint64_t kMostBytes = 48 << 20;
  const std::string said = in_child(kMostBytes, [&] { return verdict(path); });
  EXPECT_TRUE(std::regex_search(said, std::regex("^" + kBad.at(GetParam())))) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Golden,
                         BadCheckpoints,
                         testing::ValuesIn(bad_names()),
                         [](const auto& about) { return about.param; });

TEST(BadCheckpoint, EveryFileIsInTheTable) {
  const auto shared = vsr::test::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared golden data";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*shared / "golden" / "bad")) {
    if (entry.path().extension() == ".md") continue;
    EXPECT_TRUE(kBad.contains(entry.path().stem().string())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, kBad.size());
}

// Small good files of every layout, without CRCs so that a mutation reaches the inside.
std::vector<std::string> seeds() {
  TensorSpec spec;
  spec.storage_elements = 6;
  spec.shape = {2, 3};
  TensorSpec other;
  other.storage_type = "HalfStorage";
  other.storage_key = "1";
  other.storage_elements = 4;
  other.shape = {2, 2};
  other.stride = {1, 2};
  const auto object = [&](bool legacy) {
    spec.legacy = legacy;
    other.legacy = legacy;
    return pickle_dict(
        {{"state_dict",
          pickle_ordered_dict({{"a", pickle_tensor(spec)}, {"b", pickle_tensor(other)}})}});
  };
  const std::string a = float_bytes({1, 2, 3, 4, 5, 6});
  const Entries entries = torch_entries(whole_pickle(object(false)), {{"0", a}, {"1", "12345678"}});
  const std::string header =
      R"({"__metadata__":{"x":"y"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}})";
  return {zip_file(entries, {true, false, false, ""}),
          zip_file(entries, {false, true, false, "comment"}),
          legacy_file(object(true), {{"0", 6, a}, {"1", 4, "12345678"}}),
          safetensors_file(header, a + "12345678")};
}

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::string operator()(std::string bytes) {
    for (int left = 1 + below(3); left > 0 && !bytes.empty(); --left) {
      const std::size_t at = place(bytes);
      switch (below(7)) {
        case 0:  // one bit
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 1:  // one byte
          bytes[at] = static_cast<char>(random_());
          break;
        case 2:  // a number made extreme
          for (std::size_t i = at; i < std::min(bytes.size(), at + (below(2) == 0 ? 4 : 8)); ++i) {
            bytes[i] = "\xff\x7f\x80\x00\x01"[below(5)];
          }
          break;
        case 3:  // cut
          bytes.resize(at);
          break;
        case 4:  // a piece removed
          bytes.erase(at, 1 + static_cast<std::size_t>(below(16)));
          break;
        case 5:  // a piece doubled
          bytes.insert(place(bytes), bytes.substr(at, 1 + static_cast<std::size_t>(below(64))));
          break;
        default:  // a byte of one place at another, as flips of instructions
          bytes[at] = bytes[place(bytes)];
      }
    }
    return bytes;
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  std::size_t place(const std::string& bytes) { return random_() % bytes.size(); }

  std::mt19937 random_;
};

TEST(MutatedCheckpoints, AreReadOrRefusedWithinAFewMegabytes) {
  const vsr::test::TemporaryFolder folder;
  const auto path = folder.path() / "mutated.bin";
  std::vector<std::string> files = seeds();
  if (const auto shared = vsr::test::shared_dir()) {
    for (const char* name : {"formats/zip_pickle4.pth", "formats/legacy.pth", "bad/ok_tiny.pth"}) {
      files.push_back(read_file(*shared / "golden" / name));
    }
  }
  for (const auto& file : files)
    ASSERT_EQ(refusal_of_tensors(put_file(folder.path(), "good", file)), "");
  constexpr int kRounds = 1500;
  constexpr std::uint64_t kMostBytes = 64 << 20;
  const std::string said = in_child(kMostBytes, [&]() -> std::string {
    Mutator mutate(1);
    int read = 0;
    int refused = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& file : files) {
        put_file(folder.path(), "mutated.bin", mutate(file));
        const std::string what = verdict(path);
        if (what.starts_with("not")) return what;
        ++(what.starts_with("tensors") ? refused : read);
      }
    }
    // Both must be common, or the mutations show nothing.
    return read > kRounds / 10 && refused > kRounds ? "fine" : format("{} {}", read, refused);
  });
  EXPECT_EQ(said, "fine");
}

}  // namespace
}  // namespace vsr::model
