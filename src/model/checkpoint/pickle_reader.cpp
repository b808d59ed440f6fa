#include "checkpoint/pickle_reader.hpp"

#include "checkpoint/file_bytes.hpp"
#include "checkpoint/refusal.hpp"
#include "checkpoint/torch_objects.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <unordered_map>
#include <utility>

namespace vsr::model {

namespace {

// A checkpoint with optimizer state has some ten thousand objects.
constexpr std::size_t kMostObjects = 1'000'000;

// The opcodes that torch.save's pickles (protocols 2 to 5) are made of.
enum class Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

class PickleMachine {
 public:
  explicit PickleMachine(std::span<const std::byte> bytes) : bytes_(bytes), objects_(document_) {}

  PickleDocument run() {
    try {
      check_protocol();
      while (step(static_cast<Opcode>(number(1)))) {
      }
    } catch (Error& error) {
      error.add_context(format("pickle, byte {}", at_));
      throw;
    }
    document_.bytes_read = at_;
    return std::move(document_);
  }

 private:
  // Input.

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
      refuse(format("truncated: {} bytes needed, {} left", count, bytes_.size() - at_));
    }
    const auto piece = bytes_.subspan(at_, count);
    at_ += piece.size();
    return piece;
  }

  std::uint64_t number(std::size_t bytes) { return little_endian(take(bytes), 0, bytes); }

  std::string_view text(std::uint64_t bytes) {
    const auto piece = take(bytes);
    return {reinterpret_cast<const char*>(piece.data()), piece.size()};
  }

  std::string_view line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                bytes_.size() - at_);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) refuse("truncated: a name without end");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  void check_protocol() {
    if (number(1) != static_cast<std::uint64_t>(Opcode::kProto)) {
      refuse("no protocol mark (protocol 0 or 1, or no pickle at all)");
    }
    const std::uint64_t protocol = number(1);
    if (protocol < 2 || protocol > 5) {
      refuse(format("protocol {} is not known, only 2 to 5", protocol));
    }
  }

  // Stack. What lies below the last mark cannot be taken.

  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleId pop() {
    if (stack_.size() <= floor()) refuse("takes an object from an empty stack");
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  PickleId top() const {
    if (stack_.size() <= floor()) refuse("takes an object from an empty stack");
    return stack_.back();
  }

  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) refuse("goes back to a mark that was never set");
    const std::size_t begin = marks_.back();
    marks_.pop_back();
    std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    return items;
  }

  static void check_count(std::size_t count) {
    if (count >= kMostObjects) {
      refuse(format("more than {} objects: not a checkpoint of weights alone", kMostObjects));
    }
  }

  void push(PickleNode node) {
    check_count(document_.nodes.size());
    document_.nodes.push_back(std::move(node));
    stack_.push_back(static_cast<PickleId>(document_.nodes.size() - 1));
  }

  void push_scalar(PickleKind kind, std::int64_t integer = 0) { push({kind, integer, {}, {}}); }

  void push_text(PickleKind kind, std::string_view content) { push({kind, 0, content, {}}); }

  // The last `count` objects as a tuple.
  void push_tuple(std::size_t count) {
    std::vector<PickleId> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push({PickleKind::kTuple, 0, {}, std::move(items)});
  }

  // A two's complement integer of any length.
  void push_long(std::uint64_t bytes) {
    const auto content = take(bytes);
    if (bytes > 8) {
      push_text(PickleKind::kBigInt,
                {reinterpret_cast<const char*>(content.data()), content.size()});
      return;
    }
    std::uint64_t value = little_endian(content, 0, content.size());
    const bool negative = bytes > 0 && (value >> (8 * bytes - 1)) != 0;
    if (negative && bytes < 8) value |= ~std::uint64_t{0} << (8 * bytes);
    push_scalar(PickleKind::kInt, static_cast<std::int64_t>(value));
  }

  void extend(const std::vector<PickleId>& more, bool dict) {
    const PickleId target = top();
    const bool fits =
        dict ? document_.is_dict(target) : document_.at(target).kind == PickleKind::kList;
    if (!fits) refuse(dict ? "sets items of something that is no dict" : "appends to no list");
    if (dict && more.size() % 2 != 0) refuse("a key without a value");
    std::vector<PickleId>& items = document_.nodes[target].items;
    items.insert(items.end(), more.begin(), more.end());
  }

  // Memo.

  void put(std::uint64_t index) {
    check_count(memo_.size());
    memo_[static_cast<std::uint32_t>(index)] = top();
  }

  void get(std::uint64_t index) {
    const auto found = memo_.find(static_cast<std::uint32_t>(index));
    if (found == memo_.end()) refuse(format("memo {} was never put", index));
    stack_.push_back(found->second);
  }

  // Steps; false after STOP.
  bool step(Opcode opcode);
  bool step_containers(Opcode opcode);
  bool step_objects(Opcode opcode);
  bool step_values(Opcode opcode);

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  PickleDocument document_;
  TorchObjects objects_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint32_t, PickleId> memo_;
};

bool PickleMachine::step(Opcode opcode) {
  if (opcode == Opcode::kStop) {
    document_.root = pop();
    if (!stack_.empty() || !marks_.empty()) refuse("ends with objects left on the stack");
    return false;
  }
  if (!step_values(opcode) && !step_containers(opcode) && !step_objects(opcode)) {
    refuse(format("opcode 0x{:02x} is not allowed: torch.save does not write it",
                  static_cast<unsigned>(opcode)));
  }
  return true;
}

bool PickleMachine::step_values(Opcode opcode) {
  switch (opcode) {
    case Opcode::kNone:
      push_scalar(PickleKind::kNone);
      return true;
    case Opcode::kNewTrue:
    case Opcode::kNewFalse:
      push_scalar(PickleKind::kBool, opcode == Opcode::kNewTrue ? 1 : 0);
      return true;
    case Opcode::kBinInt:
      push_scalar(PickleKind::kInt, static_cast<std::int32_t>(number(4)));
      return true;
    case Opcode::kBinInt1:
      push_scalar(PickleKind::kInt, static_cast<std::int64_t>(number(1)));
      return true;
    case Opcode::kBinInt2:
      push_scalar(PickleKind::kInt, static_cast<std::int64_t>(number(2)));
      return true;
    case Opcode::kLong1:
      push_long(number(1));
      return true;
    case Opcode::kLong4: {
      const auto bytes = static_cast<std::int32_t>(number(4));
      if (bytes < 0) refuse("an integer of negative length");
      push_long(static_cast<std::uint64_t>(bytes));
      return true;
    }
    case Opcode::kBinFloat:  // no number of a network is written so: kept as present, not as value
      take(8);
      push_scalar(PickleKind::kFloat);
      return true;
    case Opcode::kShortBinUnicode:
    case Opcode::kShortBinString:
      push_text(PickleKind::kText, text(number(1)));
      return true;
    case Opcode::kBinUnicode:
    case Opcode::kBinString:
      push_text(PickleKind::kText, text(number(4)));
      return true;
    case Opcode::kBinUnicode8:
      push_text(PickleKind::kText, text(number(8)));
      return true;
    case Opcode::kShortBinBytes:
      push_text(PickleKind::kBytes, text(number(1)));
      return true;
    case Opcode::kBinBytes:
      push_text(PickleKind::kBytes, text(number(4)));
      return true;
    case Opcode::kBinBytes8:
    case Opcode::kByteArray8:
      push_text(PickleKind::kBytes, text(number(8)));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_containers(Opcode opcode) {
  switch (opcode) {
    case Opcode::kEmptyTuple:
      push_tuple(0);
      return true;
    case Opcode::kTuple1:
    case Opcode::kTuple2:
    case Opcode::kTuple3:
      push_tuple(static_cast<std::size_t>(opcode) - static_cast<std::size_t>(Opcode::kTuple1) + 1);
      return true;
    case Opcode::kTuple:
    case Opcode::kFrozenSet:
      push({PickleKind::kTuple, 0, {}, pop_to_mark()});
      return true;
    case Opcode::kEmptyList:
    case Opcode::kEmptySet:
      push_scalar(PickleKind::kList);
      return true;
    case Opcode::kEmptyDict:
      push_scalar(PickleKind::kDict);
      return true;
    case Opcode::kAppend:
      extend({pop()}, false);
      return true;
    case Opcode::kAppends:
    case Opcode::kAddItems:
      extend(pop_to_mark(), false);
      return true;
    case Opcode::kSetItem: {
      const PickleId value = pop();
      const PickleId key = pop();
      extend({key, value}, true);
      return true;
    }
    case Opcode::kSetItems:
      extend(pop_to_mark(), true);
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_objects(Opcode opcode) {
  switch (opcode) {
    case Opcode::kFrame:
      if (number(8) > bytes_.size() - at_) refuse("truncated: a frame longer than the pickle");
      return true;
    case Opcode::kMark:
      check_count(marks_.size());
      marks_.push_back(stack_.size());
      return true;
    case Opcode::kPop:
      pop();
      return true;
    case Opcode::kPopMark:
      pop_to_mark();
      return true;
    case Opcode::kDup:
      stack_.push_back(top());
      return true;
    case Opcode::kBinPut:
      put(number(1));
      return true;
    case Opcode::kLongBinPut:
      put(number(4));
      return true;
    case Opcode::kMemoize:
      put(memo_.size());
      return true;
    case Opcode::kBinGet:
      get(number(1));
      return true;
    case Opcode::kLongBinGet:
      get(number(4));
      return true;
    case Opcode::kGlobal: {
      const std::string_view module = line();
      push(objects_.global(module, line()));
      return true;
    }
    case Opcode::kStackGlobal: {
      const PickleNode& name = document_.at(pop());
      const PickleNode& module = document_.at(pop());
      if (name.kind != PickleKind::kText || module.kind != PickleKind::kText) {
        refuse("a global without a name");
      }
      push(objects_.global(module.text, name.text));
      return true;
    }
    case Opcode::kBinPersId:
      push(objects_.persistent(pop()));
      return true;
    case Opcode::kReduce: {
      const PickleId arguments = pop();
      const PickleId function = pop();
      push(objects_.reduce(function, arguments));
      return true;
    }
    case Opcode::kBuild: {
      const PickleId state = pop();
      objects_.build(top(), state);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

PickleDocument read_pickle(std::span<const std::byte> bytes) { return PickleMachine(bytes).run(); }

}  // namespace vsr::model
