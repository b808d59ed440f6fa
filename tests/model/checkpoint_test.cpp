#include "vsr/model/checkpoint.hpp"

#include "checkpoint/network_keys.hpp"
#include "checkpoint_files.hpp"
#include "test_support.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/sha256.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>

namespace vsr::model {
namespace {

using namespace test;
using Items = std::vector<std::pair<std::string, std::string>>;

TEST(NetworkTensors, CountsOfThePublishedNetworks) {
  const auto count = [](const NetworkShape& shape) {
    std::int64_t values = 0;
    const auto tensors = network_tensors(shape);
    for (const auto& [key, size] : tensors) {
      if (key == "spynet.mean" || key == "spynet.std") continue;  // buffers, no parameters
      std::int64_t product = 1;
      for (const std::int64_t n : size) product *= n;
      values += product;
    }
    return std::pair(tensors.size(), values);
  };
  EXPECT_EQ(count({true, 64, 7}), std::pair(std::size_t{274}, std::int64_t{7'322'927}));
  EXPECT_EQ(count({true, 128, 25}), std::pair(std::size_t{562}, std::int64_t{43'780'463}));
  EXPECT_EQ(count({false, 128, 25}), std::pair(std::size_t{566}, std::int64_t{44'075'631}));
  EXPECT_EQ(count({false, 64, 15}), std::pair(std::size_t{406}, std::int64_t{9'760'175}));
}

TEST(Checkpoint, UnknownKeyIsOurBug) {
  try {
    Checkpoint().tensor("no.such.key");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
  }
}

class Checkpoints : public testing::Test {
 protected:
  std::filesystem::path put(const std::string& content, const std::string& name = "a.bin") {
    return put_file(folder_.path(), name, content);
  }

  // The test network with one change to the items of its dict; bare, as a zip.
  std::string refusal(const std::function<void(Items&)>& change) {
    Items items = network_.items("generator.");
    change(items);
    return refusal_of_network(put(network_.zip_of(pickle_dict(items))));
  }

  std::string tensor(const std::vector<std::int64_t>& shape) const {
    TensorSpec spec;
    spec.storage_elements = static_cast<std::int64_t>(network_.storage().size());
    spec.shape = shape;
    return pickle_tensor(spec);
  }

  vsr::test::TemporaryFolder folder_;
  const TestNetwork network_{{true, 8, 2}};
};

auto item(Items& items, const std::string& key) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const auto& pair) { return pair.first == key; });
  EXPECT_NE(found, items.end()) << key;
  return found;
}

TEST_F(Checkpoints, ReadsEveryWrapperAndPrefixInEveryContainer) {
  for (const std::string prefix : {"",
                                   "generator.",
                                   "generator_ema.",
                                   "module.",
                                   "module.generator.",
                                   "module.generator_ema."}) {
    for (const bool legacy : {false, true}) {
      const std::string dict = pickle_ordered_dict(network_.items(prefix, legacy));
      for (const std::string wrapper : {"", "state_dict", "params_ema", "params"}) {
        SCOPED_TRACE(prefix + " in " + wrapper + (legacy ? " legacy" : " zip"));
        const std::string object =
            wrapper.empty() ? dict
                            : pickle_dict({{"meta", pickle_dict({{"epoch", pickle_int(3)}})},
                                           {wrapper, dict},
                                           {"optimizer", "}"}});
        const auto path = put(legacy ? network_.legacy_of(object) : network_.zip_of(object));
        network_.expect_equal(Checkpoint::read(path));
      }
    }
  }
}

TEST_F(Checkpoints, ReadsSafetensors) {
  for (const std::string prefix : {"", "generator.", "generator_ema."}) {
    // The content decides, not the ending.
    network_.expect_equal(Checkpoint::read(put(network_.safetensors(prefix), "a.pth")));
  }
}

TEST_F(Checkpoints, ReadsZip64AndZipsWithoutCrcs) {
  const std::string object = pickle_dict(network_.items(""));
  network_.expect_equal(Checkpoint::read(put(network_.zip_of(object, {true, true, true, ""}))));
  network_.expect_equal(Checkpoint::read(put(network_.zip_of(object, {false, false, false, ""}))));
}

TEST_F(Checkpoints, ReadsFullResolutionNetworksOfAnyWidthAndDepth) {
  const TestNetwork other({false, 24, 3});
  const Checkpoint checkpoint =
      Checkpoint::read(put(other.zip_of(pickle_dict(other.items("generator.")))));
  other.expect_equal(checkpoint);
  EXPECT_EQ(checkpoint.describe(), "x1 c24 n3");
  EXPECT_EQ(checkpoint.shape().scale(), 1);
}

TEST_F(Checkpoints, GivesTheSha256OfTheFile) {
  const auto path = put(network_.zip_of(pickle_dict(network_.items(""))));
  EXPECT_EQ(Checkpoint::read(path).sha256(), sha256_of_file(path));
}

TEST_F(Checkpoints, ContentInMemoryIsReadAlike) {
  const std::string content = network_.zip_of(pickle_dict(network_.items("")));
  const auto bytes = std::as_bytes(std::span(content));
  const Checkpoint checkpoint = Checkpoint::read(bytes, "inside");
  network_.expect_equal(checkpoint);
  EXPECT_EQ(checkpoint.sha256(), sha256_of_file(put(content)));
  EXPECT_EQ(refusal_of([&] { Checkpoint::read(bytes.first(bytes.size() - 1), "inside"); }),
            "inside: " + refusal_of_network(put(content.substr(0, content.size() - 1)))
                             .substr((folder_.path() / "a.bin: ").string().size()));
}

TEST_F(Checkpoints, PrefersAveragedWeights) {
  const TestNetwork raw({true, 16, 1});  // another network, so that the two cannot be confused
  TestNetwork both = network_;
  const auto shifted = [&](const std::string& prefix) {
    Items items;
    for (const auto& [key, view] : raw.views()) {
      TensorSpec spec;
      spec.storage_key = "1";
      spec.storage_elements = static_cast<std::int64_t>(raw.storage().size());
      spec.offset = view.offset;
      spec.shape = view.shape;
      items.emplace_back(prefix + key, pickle_tensor(spec));
    }
    return items;
  };
  const auto read = [&](const std::string& object) {
    return Checkpoint::read(put(zip_file(torch_entries(
        whole_pickle(object),
        {{"0", float_bytes(network_.storage())}, {"1", float_bytes(raw.storage())}}))));
  };
  Items items = shifted("generator.");
  for (const auto& averaged : network_.items("generator_ema.")) items.push_back(averaged);
  network_.expect_equal(read(pickle_dict({{"state_dict", pickle_dict(items)}})));
  network_.expect_equal(read(pickle_dict(
      {{"params", pickle_dict(shifted(""))}, {"params_ema", pickle_dict(network_.items(""))}})));
  network_.expect_equal(read(pickle_dict({{"params_ema", pickle_dict(shifted(""))},
                                          {"state_dict", pickle_dict(network_.items(""))}})));
}

TEST_F(Checkpoints, LeavesOutWhatTrainingKeepsBesideTheGenerator) {
  EXPECT_EQ(refusal([&](Items& items) {
              items.insert(items.begin(), {"step_counter", tensor({1})});
              items.emplace_back("discriminator.conv.weight", tensor({3, 3}));
              items.emplace_back("perceptual_loss.vgg.0.weight", tensor({3, 3}));
            }),
            "");
}

TEST_F(Checkpoints, RefusesKeysMissingOrLeftOverByName) {
  EXPECT_NE(refusal([](Items& items) {
              items.erase(item(items, "generator.backbone.forward_2.main.2.1.conv2.bias"));
            }).find("key 'backbone.forward_2.main.2.1.conv2.bias' is missing"),
            std::string::npos);
  EXPECT_NE(refusal([&](Items& items) {
              items.emplace_back("generator.fusion.weight", tensor({8}));
            }).find("unknown key 'generator.fusion.weight'"),
            std::string::npos);
  EXPECT_NE(refusal([&](Items& items) {
              items.emplace_back("ema_decay", tensor({1}));
            }).find("unknown key 'ema_decay', outside 'generator.'"),
            std::string::npos);
  const std::string both = refusal([](Items& items) {
    for (const std::string kind : {"weight", "bias"}) {
      item(items, "generator.conv_hr." + kind)->first = "generator.conv_hd." + kind;
    }
  });
  EXPECT_NE(both.find("'conv_hr.bias' is missing (and 1 more)"), std::string::npos) << both;
  EXPECT_NE(both.find("'generator.conv_hd.bias' (and 1 more)"), std::string::npos) << both;
}

TEST_F(Checkpoints, RefusesEachKeyWithAnotherShape) {
  for (const std::string key : {"spynet.mean",
                                "spynet.basic_module.3.basic_module.2.conv.weight",
                                "feat_extract.main.0.weight",
                                "deform_align.forward_1.conv_offset.6.bias",
                                "deform_align.backward_2.weight",
                                "backbone.forward_2.main.0.weight",
                                "reconstruction.main.2.4.conv2.weight",
                                "upsample2.upsample_conv.bias"}) {
    std::vector<std::int64_t> shape = network_.views().at(key).shape;
    shape.push_back(1);
    const std::string message =
        refusal([&](Items& items) { item(items, "generator." + key)->second = tensor(shape); });
    EXPECT_NE(message.find("'generator." + key + "': shape ("), std::string::npos) << message;
  }
}

TEST_F(Checkpoints, RefusesWhatIsNoBasicVsrPlusPlus) {
  const auto no_network = [&](const std::function<void(Items&)>& change) {
    const std::string message = refusal(change);
    EXPECT_NE(message.find("not a BasicVSR++ network"), std::string::npos) << message;
  };
  no_network([](Items& items) {
    items.erase(item(items, "generator.backbone.backward_1.main.0.weight"));
  });
  no_network(
      [](Items& items) { items.erase(item(items, "generator.feat_extract.main.0.weight")); });
  no_network(
      [&](Items& items) { items.emplace_back("generator.feat_extract.0.weight", tensor({8})); });
}

TEST_F(Checkpoints, RefusesWidthsAndDepthsThatMakeNoSense) {
  const std::string trunk = "generator.backbone.backward_1.main.0.weight";
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{}, {0}, {4}, {12, 24, 3, 3}, {4104}, {0, 8, 3, 3}}) {
    const std::string message =
        refusal([&](Items& items) { item(items, trunk)->second = tensor(shape); });
    EXPECT_NE(message.find("multiple of 8"), std::string::npos) << message;
  }
  const std::string message = refusal([](Items& items) {
    std::erase_if(items, [](const auto& pair) {
      return pair.first.starts_with("generator.backbone.backward_1.main.2.");
    });
  });
  EXPECT_NE(message.find("0 residual blocks"), std::string::npos) << message;
}

TEST_F(Checkpoints, RefusesBlocksWithAGapAndUnevenBranches) {
  const auto moved = [&](const std::string& from, const std::string& to) {
    return refusal([&](Items& items) {
      for (auto& [key, value] : items) {
        if (key.starts_with(from)) key = to + key.substr(from.size());
      }
    });
  };
  const std::string gap =
      moved("generator.backbone.backward_1.main.2.1.", "generator.backbone.backward_1.main.2.2.");
  EXPECT_NE(gap.find("'backbone.backward_1.main.2.1.conv1.bias' is missing"), std::string::npos)
      << gap;
  const std::string huge = moved("generator.backbone.backward_1.main.2.1.",
                                 "generator.backbone.backward_1.main.2.99999999999.");
  EXPECT_NE(huge.find("'backbone.backward_1.main.2.1.conv1.bias' is missing"), std::string::npos);
  const std::string uneven = refusal([](Items& items) {
    std::erase_if(items, [](const auto& pair) {
      return pair.first.starts_with("generator.backbone.backward_1.main.2.1.");
    });
  });
  EXPECT_NE(uneven.find("unknown key 'generator.backbone.backward_2.main.2.1.conv1.bias'"),
            std::string::npos)
      << uneven;
}

TEST_F(Checkpoints, RefusesAKeyWithAndWithoutModule) {
  EXPECT_NE(refusal([&](Items& items) {
              items.emplace_back("module.generator.conv_last.bias", tensor({3}));
            }).find("with and without 'module.'"),
            std::string::npos);
}

TEST_F(Checkpoints, RefusesIntegersAndValuesThatAreNotFinite) {
  const auto with = [&](const std::string& type, const std::string& bytes) {
    Items items = network_.items("generator.");
    TensorSpec spec;
    spec.storage_type = type;
    spec.storage_key = "1";
    spec.storage_elements = 3;
    spec.shape = {3};
    item(items, "generator.conv_last.bias")->second = pickle_tensor(spec);
    return refusal_of_network(
        put(zip_file(torch_entries(whole_pickle(pickle_dict(items)),
                                   {{"0", float_bytes(network_.storage())}, {"1", bytes}}))));
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const double large[3] = {0, 1e300, 0};
  const std::string key = "key 'generator.conv_last.bias': ";
  EXPECT_EQ(with("FloatStorage", float_bytes({0, 1, 2})), "");
  EXPECT_NE(with("FloatStorage", float_bytes({0, 1, nan})).find(key + "value 2 is NaN"),
            std::string::npos);
  EXPECT_NE(
      with("FloatStorage", float_bytes({-infinity, 1, nan})).find(key + "value 0 is infinite"),
      std::string::npos);
  EXPECT_NE(with("DoubleStorage", std::string(reinterpret_cast<const char*>(large), sizeof(large)))
                .find(key + "value 1 is infinite"),
            std::string::npos);
  EXPECT_NE(with("IntStorage", std::string(12, '\0')).find(key + "dtype int32"), std::string::npos);
  EXPECT_NE(with("BoolStorage", std::string(3, '\0')).find(key + "dtype bool"), std::string::npos);
}

// Golden weights: see the README beside them.

struct GoldenWeights {
  const char* name;
  NetworkShape shape;
  std::size_t tensors;
};

class GoldenCheckpoints : public testing::TestWithParam<GoldenWeights> {};

TEST_P(GoldenCheckpoints, ReadAsTheNetworkTheyAre) {
  const auto shared = vsr::test::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared golden data";
  const Checkpoint checkpoint =
      Checkpoint::read(*shared / "golden" / "weights" / (GetParam().name + std::string(".pth")));
  EXPECT_EQ(checkpoint.shape(), GetParam().shape);
  EXPECT_EQ(checkpoint.tensors().size(), GetParam().tensors);
  // The one pair of values known without torch: SPyNet's normalisation.
  EXPECT_NEAR(checkpoint.tensor("spynet.mean").values.at(0), 0.485F, 2e-4F);
  EXPECT_NEAR(checkpoint.tensor("spynet.std").values.at(2), 0.225F, 2e-4F);
}

INSTANTIATE_TEST_SUITE_P(Weights,
                         GoldenCheckpoints,
                         testing::Values(GoldenWeights{"c64n7", {true, 64, 7}, 274},
                                         GoldenWeights{"c16n2", {true, 16, 2}, 194},
                                         GoldenWeights{"c16n2t_legacy", {true, 16, 2}, 194},
                                         GoldenWeights{"c16n2t_params_ema", {true, 16, 2}, 194},
                                         GoldenWeights{"c16n2t_half", {true, 16, 2}, 194},
                                         GoldenWeights{"c16n2x1_bare", {false, 16, 2}, 198}),
                         [](const auto& about) { return std::string(about.param.name); });

TEST(GoldenCheckpoint, LegacyAndParamsEmaHoldTheSameTensors) {
  const auto shared = vsr::test::shared_dir();
  if (!shared) GTEST_SKIP() << "no shared golden data";
  const auto folder = *shared / "golden" / "weights";
  const Checkpoint legacy = Checkpoint::read(folder / "c16n2t_legacy.pth");
  const Checkpoint views = Checkpoint::read(folder / "c16n2t_params_ema.pth");
  const Checkpoint half = Checkpoint::read(folder / "c16n2t_half.pth");
  for (const auto& [key, tensor] : legacy.tensors()) {
    EXPECT_EQ(tensor.shape, views.tensor(key).shape) << key;
    EXPECT_EQ(tensor.values, views.tensor(key).values) << key;
    const auto& rounded = half.tensor(key).values;
    ASSERT_EQ(rounded.size(), tensor.values.size());
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      ASSERT_LE(std::abs(rounded[i] - tensor.values[i]), std::abs(tensor.values[i]) / 2048 + 3e-8F)
          << key;
    }
  }
}

}  // namespace
}  // namespace vsr::model
