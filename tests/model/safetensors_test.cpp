#include "checkpoint/safetensors_reader.hpp"
#include "checkpoint/tensor_file.hpp"
#include "checkpoint_files.hpp"
#include "test_support.hpp"
#include "vsr/base/format.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::model {
namespace {

using namespace test;

class Safetensors : public testing::Test {
 protected:
  std::map<std::string, RawTensor> read(const std::string& content) {
    return read_tensor_file(put_file(folder_.path(), "a.bin", content));
  }

  void expect_refused(const std::string& content, const std::string& why) {
    const std::string message = refusal_of_tensors(put_file(folder_.path(), "a.bin", content));
    EXPECT_NE(message.find(why), std::string::npos) << "got: " << message;
  }

  // One tensor 'a' of two float32 zeros, with this text as its entry.
  void expect_entry_refused(const std::string& entry, const std::string& why) {
    expect_refused(safetensors_file(R"({"a":)" + entry + "}", std::string(8, '\0')), why);
  }

  vsr::test::TemporaryFolder folder_;
};

std::string entry(const std::string& dtype,
                  const std::string& shape,
                  std::uint64_t begin,
                  std::uint64_t end) {
  return format(
      R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", dtype, shape, begin, end);
}

TEST_F(Safetensors, ReadsEveryDtype) {
  const std::vector<std::tuple<std::string, DType, std::size_t>> dtypes = {
      {"F64", DType::kFloat64, 8},
      {"F32", DType::kFloat32, 4},
      {"F16", DType::kFloat16, 2},
      {"BF16", DType::kBFloat16, 2},
      {"I64", DType::kInt64, 8},
      {"I32", DType::kInt32, 4},
      {"I16", DType::kInt16, 2},
      {"I8", DType::kInt8, 1},
      {"U8", DType::kUInt8, 1},
      {"BOOL", DType::kBool, 1}};
  for (const auto& [name, dtype, bytes] : dtypes) {
    std::string data;
    for (std::size_t i = 0; i < 6 * bytes; ++i) data += static_cast<char>(i + 1);
    const auto tensors =
        read(safetensors_file(R"({"a":)" + entry(name, "2,3", 0, data.size()) + "}", data));
    const RawTensor& tensor = tensors.at("a");
    EXPECT_EQ(tensor.dtype, dtype);
    EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(tensor.stride, (std::vector<std::int64_t>{3, 1}));
    EXPECT_EQ(
        std::string(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size()),
        data);
  }
}

TEST_F(Safetensors, ReadsTensorsInAnyOrderWithEmptyAndScalarOnes) {
  const std::string header = R"({"b":)" + entry("F32", "1", 4, 8) + R"(,"empty":)" +
                             entry("F32", "0,5", 4, 4) + R"(,"scalar":)" + entry("F32", "", 0, 4) +
                             R"(,"__metadata__":{"format":"pt"}})";
  const auto tensors = read(safetensors_file(header + "    ", float_bytes({1.5F, -2.0F})));
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(widen_to_float(tensors.at("scalar")), std::vector<float>{1.5F});
  EXPECT_EQ(widen_to_float(tensors.at("b")), std::vector<float>{-2.0F});
  EXPECT_TRUE(tensors.at("empty").values.empty());
  EXPECT_EQ(tensors.at("empty").shape, (std::vector<std::int64_t>{0, 5}));
}

TEST_F(Safetensors, RefusesAHeaderThatIsTooLongOrCut) {
  const std::string whole =
      safetensors_file(R"({"a":)" + entry("F32", "2", 0, 8) + "}", std::string(8, '\0'));
  EXPECT_EQ(read(whole).size(), 1U);
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_NE(refusal_of([&] { read(whole.substr(0, bytes)); }), "") << bytes;
  }
  expect_refused(whole.substr(0, 20), "truncated");
  expect_refused(whole.substr(0, whole.size() - 1), "truncated");
  std::string huge = whole;
  huge[4] = '\x7f';
  expect_refused(huge, "header too long");
}

TEST_F(Safetensors, RefusesAHeaderThatIsNoJson) {
  expect_refused(safetensors_file("{\"a\":}", ""), "invalid JSON");
  expect_refused(safetensors_file("{}", ""), "no tensors");
  expect_refused(safetensors_file("{\"a\":1,\"a\":2}", ""), "twice");
}

TEST_F(Safetensors, RefusesDataThatDoesNotTileTheFile) {
  const std::string two = std::string(8, '\0');
  const auto file = [&](std::uint64_t b, std::uint64_t e, const std::string& data) {
    return safetensors_file(
        R"({"a":)" + entry("F32", "1", 0, 4) + R"(,"b":)" + entry("F32", "1", b, e) + "}", data);
  };
  EXPECT_EQ(read(file(4, 8, two)).size(), 2U);
  expect_refused(file(0, 4, two.substr(0, 4)), "overlap at byte 0");
  expect_refused(file(2, 6, two.substr(0, 6)), "overlap at byte 2");
  expect_refused(file(5, 9, std::string(9, '\0')), "gap between them at byte 4");
  expect_refused(file(4, 8, std::string(9, '\0')), "1 bytes of data belong to no tensor");
}

TEST_F(Safetensors, RefusesWrongEntries) {
  expect_entry_refused(entry("F32", "2", 0, 9), "truncated");
  expect_entry_refused(entry("F32", "3", 0, 8), "outside its storage");
  expect_entry_refused(entry("F32", "1", 0, 8), "8 bytes of data for 1 elements");
  expect_entry_refused(entry("F32", "2", 8, 0), "no range");
  expect_entry_refused(entry("F32", "-2", 0, 8), "integers from 0");
  expect_entry_refused(entry("F32", "2.0", 0, 8), "integers from 0");
  expect_entry_refused(entry("F32", "4294967296,4294967296", 0, 8), "overflow");
  expect_entry_refused(entry("F32", "0,9223372036854775807,3", 0, 0), "overflow");
  expect_entry_refused(entry("F32", "1099511627776", 0, 8), "outside its storage");
  expect_entry_refused(entry("F8_E4M3", "8", 0, 8), "dtype 'F8_E4M3' cannot be read");
  expect_entry_refused("1", "not made of");
  expect_entry_refused(R"({"dtype":"F32","shape":[2]})", "not made of");
  expect_entry_refused(R"({"dtype":"F32","shape":[2],"offsets":[0,8]})", "'data_offsets'");
  expect_entry_refused(R"({"dtype":1,"shape":[2],"data_offsets":[0,8]})", "no dtype");
  expect_entry_refused(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})", "'shape' is no list");
  expect_entry_refused(R"({"dtype":"F32","shape":[2],"data_offsets":[8]})", "no range");
  expect_entry_refused(entry("F32", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2", 0, 8), "at most 16");
}

}  // namespace
}  // namespace vsr::model
