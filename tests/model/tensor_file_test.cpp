#include "checkpoint/tensor_file.hpp"

#include "checkpoint/json.hpp"
#include "checkpoint_files.hpp"
#include "test_support.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

namespace vsr::model {
namespace {

using namespace test;

template <typename Stored>
Stored element(const RawTensor& tensor, std::size_t index) {
  Stored value{};
  std::memcpy(&value, tensor.values.data() + index * sizeof(Stored), sizeof(Stored));
  return value;
}

double as_double(const RawTensor& tensor, std::size_t index) {
  switch (tensor.dtype) {
    case DType::kFloat64:
      return element<double>(tensor, index);
    case DType::kInt64:
      return static_cast<double>(element<std::int64_t>(tensor, index));
    case DType::kInt32:
      return element<std::int32_t>(tensor, index);
    case DType::kInt16:
      return element<std::int16_t>(tensor, index);
    case DType::kInt8:
      return element<std::int8_t>(tensor, index);
    case DType::kUInt8:
    case DType::kBool:
      return element<std::uint8_t>(tensor, index);
    default:
      return widen_to_float(tensor)[index];
  }
}

std::vector<std::int64_t> integers(const Json& list) {
  std::vector<std::int64_t> values;
  for (const Json& item : list.items) values.push_back(item.integer);
  return values;
}

class TensorFormats : public testing::TestWithParam<const char*> {};

TEST_P(TensorFormats, EveryTensorAsExpected) {
  const auto shared = vsr::test::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared golden data";
  const auto folder = *shared / "golden" / "formats";
  const Json expected = parse_json(read_file(folder / "expected.json"));
  const auto tensors = read_tensor_file(folder / GetParam());
  ASSERT_EQ(tensors.size(), expected.members.size());
  for (const auto& [key, wanted] : expected.members) {
    SCOPED_TRACE(key);
    ASSERT_TRUE(tensors.contains(key));
    const RawTensor& tensor = tensors.at(key);
    EXPECT_EQ(to_string(tensor.dtype), wanted.find("dtype")->text);
    EXPECT_EQ(tensor.shape, integers(*wanted.find("shape")));
    EXPECT_EQ(tensor.stride, integers(*wanted.find("stride")));
    const auto& values = wanted.find("values")->items;
    ASSERT_EQ(tensor.values.size(), values.size() * size_bytes(tensor.dtype));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i].kind == Json::Kind::kInteger && tensor.dtype == DType::kInt64) {
        EXPECT_EQ(element<std::int64_t>(tensor, i), values[i].integer) << i;
      } else {
        EXPECT_EQ(as_double(tensor, i), values[i].real) << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden,
    TensorFormats,
    testing::Values("legacy.pth", "zip_by_name.pth", "zip_by_stream.pth", "zip_pickle4.pth"),
    [](const auto& about) {
      const std::string name = about.param;
      return name.substr(0, name.find('.'));
    });

class TensorFiles : public testing::Test {
 protected:
  std::filesystem::path put(const std::string& content) {
    return put_file(folder_.path(), "a.bin", content);
  }

  std::filesystem::path put_zip(const std::string& object, const std::string& storage) {
    return put(zip_file(torch_entries(whole_pickle(object), {{"0", storage}})));
  }

  vsr::test::TemporaryFolder folder_;
};

TEST_F(TensorFiles, ReadsViewsInAnyOrder) {
  std::vector<float> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  TensorSpec spec;
  spec.storage_elements = 24;
  const auto view = [&](std::int64_t offset,
                        const std::vector<std::int64_t>& shape,
                        const std::vector<std::int64_t>& stride) {
    spec.offset = offset;
    spec.shape = shape;
    spec.stride = stride;
    return pickle_tensor(spec);
  };
  const auto tensors =
      read_tensor_file(put_zip(pickle_dict({{"transposed", view(0, {6, 4}, {1, 6})},
                                            {"slice", view(7, {2, 3}, {6, 2})},
                                            {"expanded", view(5, {2, 3}, {0, 0})},
                                            {"rows", view(1, {2, 1, 2}, {0, 99, 1})},
                                            {"three", view(0, {2, 2, 2}, {2, 12, 1})},
                                            {"overlapping", view(0, {3, 3}, {1, 1})}}),
                               float_bytes(values)));
  EXPECT_EQ(widen_to_float(tensors.at("slice")), (std::vector<float>{7, 9, 11, 13, 15, 17}));
  EXPECT_EQ(widen_to_float(tensors.at("expanded")), std::vector<float>(6, 5.0F));
  EXPECT_EQ(widen_to_float(tensors.at("rows")), (std::vector<float>{1, 2, 1, 2}));
  EXPECT_EQ(widen_to_float(tensors.at("three")), (std::vector<float>{0, 1, 12, 13, 2, 3, 14, 15}));
  EXPECT_EQ(widen_to_float(tensors.at("overlapping")),
            (std::vector<float>{0, 1, 2, 1, 2, 3, 2, 3, 4}));
  const auto transposed = widen_to_float(tensors.at("transposed"));
  for (std::size_t i = 0; i < 24; ++i) {
    const std::size_t row = i / 4;
    EXPECT_EQ(transposed[i], static_cast<float>(row + (i % 4) * 6));
  }
}

TEST_F(TensorFiles, WidensEveryHalfExactly) {
  RawTensor tensor{DType::kFloat16, {65536}, {1}, std::vector<std::byte>(131072)};
  for (std::size_t i = 0; i < 65536; ++i) {
    tensor.values[2 * i] = static_cast<std::byte>(i & 0xFF);
    tensor.values[2 * i + 1] = static_cast<std::byte>(i >> 8);
  }
  const std::vector<float> floats = widen_to_float(tensor);
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31;
    const int fraction = i & 1023;
    const float value = floats[static_cast<std::size_t>(i)];
    ASSERT_EQ(std::signbit(value), i >= 32768);
    if (exponent == 31) {
      ASSERT_EQ(std::isinf(value), fraction == 0);
      ASSERT_EQ(std::isnan(value), fraction != 0);
      continue;
    }
    const double size =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(std::abs(static_cast<double>(value)), size) << i;
  }
}

TEST_F(TensorFiles, WidensBfloat16AndDouble) {
  const RawTensor brain{DType::kBFloat16,
                        {2},
                        {1},
                        {std::byte{0x80}, std::byte{0x3F}, std::byte{0x20}, std::byte{0xC1}}};
  EXPECT_EQ(widen_to_float(brain), (std::vector<float>{1.0F, -10.0F}));
  RawTensor wide{DType::kFloat64, {1}, {1}, std::vector<std::byte>(8)};
  const double third = 1.0 / 3;
  std::memcpy(wide.values.data(), &third, 8);
  EXPECT_EQ(widen_to_float(wide), std::vector<float>{1.0F / 3});
  const RawTensor integer{DType::kInt8, {1}, {1}, {std::byte{1}}};
  EXPECT_THROW(widen_to_float(integer), Error);
}

TEST_F(TensorFiles, RefusesViewsThatMultiplyTheFile) {
  TensorSpec spec;
  spec.storage_elements = 2;
  spec.shape = {1 << 10, 1 << 9};
  spec.stride = {0, 0};
  EXPECT_NE(
      refusal_of_tensors(put_zip(pickle_dict({{"a", pickle_tensor(spec)}}), std::string(8, 'x')))
          .find("'a' is too big"),
      std::string::npos);
  // Many that are each small enough.
  std::vector<std::pair<std::string, std::string>> items;
  spec.shape = {1 << 9, 1 << 7};
  for (int i = 0; i < 8; ++i) items.emplace_back(std::to_string(i), pickle_tensor(spec));
  EXPECT_NE(refusal_of_tensors(put_zip(pickle_dict(items), std::string(8, 'x'))).find("too big"),
            std::string::npos);
  items.resize(3);
  EXPECT_EQ(refusal_of_tensors(put_zip(pickle_dict(items), std::string(8, 'x'))), "");
}

TEST_F(TensorFiles, SaysWhatAnUnknownFileIs) {
  EXPECT_NE(refusal_of_tensors(put("")).find("empty"), std::string::npos);
  EXPECT_NE(refusal_of_tensors(put("x")).find("unknown format"), std::string::npos);
  EXPECT_NE(refusal_of_tensors(put("<!DOCTYPE html>")).find("web page"), std::string::npos);
  EXPECT_NE(refusal_of_tensors(put("version https://git-lfs.github.com/spec/v1\n")).find("Git LFS"),
            std::string::npos);
  EXPECT_NE(refusal_of_tensors(put(whole_pickle("N"))).find("none of torch.save"),
            std::string::npos);
}

TEST_F(TensorFiles, MessagesBeginWithTheFile) {
  const auto path = put("x");
  EXPECT_EQ(refusal_of_tensors(path).find(path.string() + ": "), 0U);
  EXPECT_EQ(refusal_of_network(path).find(path.string() + ": "), 0U);
}

TEST_F(TensorFiles, RefusesALegacyFileThatDoesNotAddUp) {
  TensorSpec spec;
  spec.storage_elements = 2;
  spec.shape = {2};
  spec.legacy = true;
  const std::string object = pickle_dict({{"a", pickle_tensor(spec)}});
  const LegacyStorage good{"0", 2, std::string(8, '\0')};
  const auto refusal = [&](const std::vector<LegacyStorage>& storages,
                           const std::string& tail = "") {
    return refusal_of_tensors(put(legacy_file(object, storages) + tail));
  };
  EXPECT_EQ(refusal({good}), "");
  EXPECT_NE(refusal({}).find("storage '0' is missing"), std::string::npos);
  EXPECT_NE(refusal({good, good}).find("there twice"), std::string::npos);
  EXPECT_NE(refusal({good, {"1", 1, "1234"}}).find("belongs to no tensor"), std::string::npos);
  EXPECT_NE(refusal({good}, "x").find("1 bytes follow"), std::string::npos);
  EXPECT_NE(refusal({{"0", 2, std::string(7, '\0')}}).find("truncated"), std::string::npos);
  const std::string whole = legacy_file(object, {good});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_NE(refusal_of([&] { read_tensor_file(put(whole.substr(0, bytes))); }), "") << bytes;
  }
}

TEST_F(TensorFiles, RefusesTorchsZipWithoutItsRecords) {
  TensorSpec spec;
  spec.storage_elements = 1;
  spec.shape = {1};
  const std::string pickle = whole_pickle(pickle_dict({{"a", pickle_tensor(spec)}}));
  const auto refusal = [&](const Entries& entries) {
    return refusal_of_tensors(put(zip_file(entries)));
  };
  const std::pair<std::string, std::string> object = {"r/data.pkl", pickle};
  const std::pair<std::string, std::string> storage = {"r/data/0", "1234"};
  const std::pair<std::string, std::string> version = {"r/version", "3\n"};
  EXPECT_EQ(refusal({object, storage, version}), "");
  EXPECT_EQ(refusal({object, storage, {"r/.data/version", "3"}}), "");
  EXPECT_EQ(refusal({object, storage, version, {"r/unused", "x"}, {"elsewhere", "x"}}), "");
  EXPECT_NE(refusal({object, storage}).find("'r/version' is missing"), std::string::npos);
  EXPECT_NE(refusal({object, storage, {"r/version", "11"}}).find("version '11'"),
            std::string::npos);
  EXPECT_NE(refusal({object, storage, {"r/version", "3x"}}).find("version '3x'"),
            std::string::npos);
  EXPECT_NE(refusal({object, storage, {"r/version", std::string(65, '1')}}).find("too big"),
            std::string::npos);
  EXPECT_NE(refusal({object, storage, version, {"r/byteorder", "big"}}).find("byte order 'big'"),
            std::string::npos);
  EXPECT_NE(refusal({object, version}).find("storage '0' is missing"), std::string::npos);
  EXPECT_NE(refusal({storage, version}).find("no data.pkl"), std::string::npos);
  EXPECT_NE(refusal({{"data.pkl", pickle}, storage, version}).find("no data.pkl"),
            std::string::npos);
}

TEST_F(TensorFiles, RefusesAnObjectWithoutTensors) {
  const auto refusal = [&](const std::string& object) {
    return refusal_of_tensors(put_zip(object, "1234"));
  };
  EXPECT_NE(refusal("]").find("no state_dict"), std::string::npos);
  EXPECT_NE(refusal("}").find("found nothing"), std::string::npos);
  EXPECT_NE(refusal(pickle_dict({{"model", "}"}, {"epoch", pickle_int(3)}}))
                .find("found 'model', 'epoch'"),
            std::string::npos);
  EXPECT_NE(refusal(pickle_dict({{"state_dict", "N"}})).find("'state_dict' is no dict"),
            std::string::npos);
  EXPECT_NE(
      refusal(pickle_dict({{"state_dict", pickle_dict({{"a", "N"}})}})).find("entry 'a' is no"),
      std::string::npos);
  EXPECT_NE(refusal("}K\x05Ns").find("no string"), std::string::npos);
}

}  // namespace
}  // namespace vsr::model
