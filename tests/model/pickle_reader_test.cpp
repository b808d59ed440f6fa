#include "checkpoint/pickle_reader.hpp"

#include "checkpoint_files.hpp"
#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace vsr::model {
namespace {

using namespace test;
using testing::Test;

PickleDocument parse(const std::string& bytes) {
  return read_pickle(std::as_bytes(std::span(bytes)));
}

// `object` between PROTO 2 and STOP must be refused with a message that holds `why`.
void expect_refused(const std::string& object, const std::string& why) {
  const std::string message = refusal_of([&] { parse(whole_pickle(object)); });
  EXPECT_NE(message.find(why), std::string::npos) << "got: " << message;
}

std::string rebuild_with(const std::vector<std::string>& arguments) {
  return pickle_global("torch._utils", "_rebuild_tensor_v2") + pickle_tuple(arguments) + "R";
}

std::string storage_id(const std::string& type, const std::string& key, std::int64_t elements) {
  return pickle_tuple({pickle_text("storage"),
                       pickle_global("torch", type),
                       pickle_text(key),
                       pickle_text("cpu"),
                       pickle_int(elements)}) +
         "Q";
}

const std::string kHooks = pickle_global("collections", "OrderedDict") + ")R";

TEST(PickleReader, ReadsIntegersOfEveryWidth) {
  const auto value = [](const std::string& object) {
    const std::string bytes = whole_pickle(object);
    const PickleDocument document = parse(bytes);
    EXPECT_EQ(document.at(document.root).kind, PickleKind::kInt);
    return document.at(document.root).integer;
  };
  EXPECT_EQ(value("K\xff"), 255);
  EXPECT_EQ(value(std::string("M\x34\x12", 3)), 0x1234);
  EXPECT_EQ(value("J\xff\xff\xff\xff"), -1);
  EXPECT_EQ(value(std::string("\x8a\x00", 2)), 0);
  EXPECT_EQ(value("\x8a\x01\xff"), -1);
  EXPECT_EQ(value(std::string("\x8a\x02\xff\x00", 4)), 255);
  EXPECT_EQ(value(std::string("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80", 10)), INT64_MIN);
  EXPECT_EQ(value(std::string("\x8b\x01\x00\x00\x00\x80", 6)), -128);
}

TEST(PickleReader, ReadsProtocols2To5Only) {
  for (int protocol = 0; protocol < 12; ++protocol) {
    const std::string bytes = whole_pickle("N", protocol);
    const std::string message = refusal_of([&] { parse(bytes); });
    EXPECT_EQ(message.empty(), protocol >= 2 && protocol <= 5) << protocol << ": " << message;
  }
}

TEST(PickleReader, ReadsAFrameWithMemoAndStackGlobal) {
  const std::string body =
      "}\x94\x8c\x01k\x94\x8c\x0b"
      "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94s.";
  const std::string bytes =
      "\x80\x05\x95" + std::string(1, static_cast<char>(body.size())) + std::string(7, '\0') + body;
  const PickleDocument document = parse(bytes);
  const PickleNode& root = document.at(document.root);
  ASSERT_EQ(root.kind, PickleKind::kDict);
  ASSERT_EQ(root.items.size(), 2U);
  EXPECT_EQ(document.at(root.items[0]).text, "k");
  EXPECT_EQ(document.at(root.items[1]).kind, PickleKind::kOrderedDict);
  EXPECT_EQ(document.bytes_read, bytes.size());
}

TEST(PickleReader, StopsAtStopAndSaysWhere) {
  const std::string one = whole_pickle("N");
  EXPECT_EQ(parse(one + "more").bytes_read, one.size());
}

TEST(PickleReader, ReadsAParameterAsItsTensor) {
  TensorSpec spec;
  spec.storage_elements = 6;
  spec.shape = {2, 3};
  const std::string bytes = whole_pickle(pickle_global("torch._utils", "_rebuild_parameter") +
                                         pickle_tuple({pickle_tensor(spec), "\x88", kHooks}) + "R");
  const PickleDocument document = parse(bytes);
  ASSERT_EQ(document.at(document.root).kind, PickleKind::kTensor);
  EXPECT_EQ(document.tensors.at(0).view.shape, (std::vector<std::int64_t>{2, 3}));
}

TEST(PickleReader, KnowsAStorageByItsKey) {
  TensorSpec spec;
  spec.storage_elements = 6;
  spec.shape = {2};
  TensorSpec other = spec;
  other.storage_key = "1";
  const std::string bytes =
      whole_pickle(pickle_tuple({pickle_tensor(spec), pickle_tensor(spec), pickle_tensor(other)}));
  const PickleDocument document = parse(bytes);
  EXPECT_EQ(document.storages.size(), 2U);
  EXPECT_EQ(document.tensors.size(), 3U);
}

TEST(PickleReader, RefusesEveryOtherGlobalByName) {
  expect_refused(pickle_global("os", "system") + pickle_tuple({pickle_text("true")}) + "R",
                 "global 'os.system' is not allowed");
  expect_refused(pickle_global("torch._utils", "_rebuild_tensor_v3"), "_rebuild_tensor_v3");
  expect_refused(pickle_global("torch.storage", "UntypedStorage"), "UntypedStorage");
  expect_refused(pickle_global("torch", "ComplexFloatStorage"), "dtype");
  expect_refused(pickle_global("collections", "OrderedDict.fromkeys"), "OrderedDict.fromkeys");
  expect_refused(pickle_global("numpy.core.multiarray", "scalar"), "numpy.core.multiarray.scalar");
  // A name made to spoil the terminal stays one printable line.
  expect_refused(pickle_global("a\x1b[2J", "b"), "'a\\x1b[2J.b'");
}

TEST(PickleReader, RefusesOpcodesThatMakeObjects) {
  const std::string type = pickle_global("collections", "OrderedDict");
  expect_refused(type + ")\x81", "opcode 0x81");    // NEWOBJ
  expect_refused(type + ")}\x92", "opcode 0x92");   // NEWOBJ_EX
  expect_refused("(" + type + "o", "opcode 0x6f");  // OBJ
  expect_refused("(ios\nsystem\n", "opcode 0x69");  // INST
  expect_refused("\x82\x01", "opcode 0x82");        // EXT1
  expect_refused("P1\n", "opcode 0x50");            // PERSID
  expect_refused("\x97", "opcode 0x97");            // NEXT_BUFFER
}

TEST(PickleReader, RefusesBuildOfAnythingButMetadata) {
  expect_refused("}}b", "BUILD");
  expect_refused(kHooks + pickle_dict({{"__class__", "N"}}) + "b", "BUILD");
  expect_refused(kHooks + "Nb", "BUILD");
  EXPECT_EQ(refusal_of([&] { parse(whole_pickle(pickle_ordered_dict({}))); }), "");
}

TEST(PickleReader, RefusesAStackThatDoesNotAddUp) {
  expect_refused("", "empty stack");
  expect_refused("0", "empty stack");
  expect_refused("(0", "empty stack");
  expect_refused("2", "empty stack");
  expect_refused("q\x01", "empty stack");
  expect_refused("]a", "empty stack");
  expect_refused("t", "never set");
  expect_refused("1", "never set");
  expect_refused("}N(u", "no dict");
  expect_refused("N(e", "no list");
  expect_refused("}(Nu", "without a value");
  expect_refused("NN", "left on the stack");
  expect_refused("(N", "left on the stack");
  expect_refused("NNR", "no known global");
  expect_refused("NQ", "names no storage");
  expect_refused("NN\x93", "without a name");
  expect_refused("h\x05", "never put");
}

TEST(PickleReader, RefusesWhatAnnouncesMoreThanThereIs) {
  expect_refused(std::string("X\xff\xff\xff\x7f", 5), "truncated");
  expect_refused("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "truncated");
  expect_refused("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated");
  expect_refused("\x96\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated");
  expect_refused("\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated");
  expect_refused("\x8b\xff\xff\xff\x7f", "truncated");
  expect_refused("\x8b\xff\xff\xff\xff", "negative");
  expect_refused("cno end of line", "truncated");
}

TEST(PickleReader, RefusesWrongPersistentIds) {
  expect_refused(storage_id("FloatStorage", "0", -1), "impossible");
  expect_refused(storage_id("FloatStorage", "0", INT64_MAX), "impossible");
  expect_refused(storage_id("FloatStorage", std::string(300, '0'), 1), "key");
  expect_refused(storage_id("FloatStorage", "0", 1) + "0" + storage_id("FloatStorage", "0", 2),
                 "named twice");
  expect_refused(storage_id("FloatStorage", "0", 1) + "0" + storage_id("HalfStorage", "0", 1),
                 "named twice");
  expect_refused(pickle_tuple({pickle_text("module"), "N", "N", "N", "N"}) + "Q", "no storage");
  expect_refused(pickle_tuple({pickle_text("storage"),
                               pickle_global("collections", "OrderedDict"),
                               pickle_text("0"),
                               pickle_text("cpu"),
                               pickle_int(1)}) +
                     "Q",
                 "no known type");
}

TEST(PickleReader, RefusesWrongTensors) {
  const std::string storage = storage_id("FloatStorage", "0", 6);
  const std::string sizes = pickle_integers({2, 3});
  const std::string strides = pickle_integers({3, 1});
  EXPECT_EQ(
      refusal_of([&] {
        parse(whole_pickle(rebuild_with({storage, pickle_int(0), sizes, strides, "\x89", kHooks})));
      }),
      "");
  expect_refused(rebuild_with({storage, pickle_int(0), sizes, strides}), "6 or 7 arguments");
  expect_refused(rebuild_with({"N", pickle_int(0), sizes, strides, "\x89", kHooks}), "wrong kind");
  expect_refused(rebuild_with({storage, "N", sizes, strides, "\x89", kHooks}), "wrong kind");
  expect_refused(rebuild_with({storage, pickle_int(0), "N", strides, "\x89", kHooks}), "tuple");
  expect_refused(rebuild_with({storage,
                               pickle_int(0),
                               pickle_integers(std::vector<std::int64_t>(17, 1)),
                               pickle_integers(std::vector<std::int64_t>(17, 1)),
                               "\x89",
                               kHooks}),
                 "at most 16");
  // A lazily negated tensor would be read with the wrong sign.
  expect_refused(
      rebuild_with(
          {storage, pickle_int(0), sizes, strides, "\x89", kHooks, pickle_dict({{"neg", "\x88"}})}),
      "metadata");
  expect_refused(rebuild_with({storage, pickle_int(1), sizes, strides, "\x89", kHooks}),
                 "tensor over storage '0': outside");
  expect_refused(
      rebuild_with({storage, pickle_int(0), sizes, pickle_integers({-3, 1}), "\x89", kHooks}),
      "negative stride");
}

TEST(PickleReader, HoldsACycleAndAMillionLevels) {
  EXPECT_EQ(refusal_of([] { parse(whole_pickle("}q\x01" + pickle_text("a") + "h\x01s")); }), "");
  EXPECT_EQ(refusal_of([] { parse(whole_pickle(")" + std::string(900'000, '\x85'))); }), "");
  EXPECT_EQ(refusal_of(
                [] { parse(whole_pickle(std::string(450'000, ']') + std::string(449'999, 'a'))); }),
            "");
}

TEST(PickleReader, RefusesMoreObjectsThanACheckpointHas) {
  expect_refused(std::string(1'000'001, 'N'), "more than 1000000 objects");
  expect_refused(std::string(1'000'001, '('), "more than 1000000 objects");
  expect_refused("N" + std::string(1'000'001, '\x94'), "more than 1000000 objects");
}

// Random programs out of valid instructions get further into the machine than flipped bytes do.
TEST(PickleReader, SurvivesRandomPrograms) {
  TensorSpec spec;
  spec.storage_elements = 6;
  spec.shape = {2, 3};
  const std::vector<std::string> pieces = {"(",
                                           "0",
                                           "1",
                                           "2",
                                           "N",
                                           "\x88",
                                           "]",
                                           "}",
                                           ")",
                                           "\x8f",
                                           "a",
                                           "e",
                                           "s",
                                           "u",
                                           "t",
                                           "\x85",
                                           "\x86",
                                           "\x87",
                                           "R",
                                           "b",
                                           "Q",
                                           "\x93",
                                           "\x94",
                                           "\x90",
                                           "\x91",
                                           "q\x01",
                                           "q\x02",
                                           "h\x01",
                                           "h\x02",
                                           "K\x01",
                                           "J\xff\xff\xff\xff",
                                           pickle_int(INT64_MAX),
                                           pickle_text("state_dict"),
                                           pickle_text("storage"),
                                           pickle_text("_metadata"),
                                           pickle_text("collections"),
                                           pickle_text("OrderedDict"),
                                           pickle_global("collections", "OrderedDict"),
                                           pickle_global("torch", "FloatStorage"),
                                           pickle_global("torch._utils", "_rebuild_tensor_v2"),
                                           pickle_global("torch._utils", "_rebuild_parameter"),
                                           storage_id("FloatStorage", "0", 6),
                                           pickle_integers({2, 3}),
                                           pickle_integers({INT64_MAX, INT64_MAX}),
                                           pickle_tensor(spec)};
  std::mt19937 random(20210217);
  int refused = 0;
  int read = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string program;
    for (auto left = random() % 24; left > 0; --left) program += pieces[random() % pieces.size()];
    const std::string bytes = whole_pickle(program);
    try {
      const PickleDocument document = parse(bytes);
      ASSERT_LT(document.root, document.nodes.size());
      for (const PickleNode& node : document.nodes) {
        for (const PickleId id : node.items) ASSERT_LT(id, document.nodes.size());
      }
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kModel);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000);
  EXPECT_GT(read, 500);
}

}  // namespace
}  // namespace vsr::model
