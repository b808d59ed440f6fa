// What a live block leaves on a terminal, which a small model of one reads.
#include "vsr/status/live_block.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace vsr::status {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;

// As much of a terminal as a block needs: lines, a cursor, up, clear to the end of line and screen.
class Screen {
 public:
  void take(const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == '\x1b') {
        ASSERT_EQ(bytes.at(i + 1), '[');
        const std::size_t end = bytes.find_first_not_of("0123456789;", i + 2);
        const int count = std::max(1, std::atoi(bytes.c_str() + i + 2));
        switch (bytes.at(end)) {
          case 'A':
            row_ = std::max(0, row_ - count);
            break;
          case 'K':
            row().resize(std::min(row().size(), column_));
            break;
          case 'J':
            row().resize(std::min(row().size(), column_));
            rows_.resize(static_cast<std::size_t>(row_) + 1);
            break;
          case 'm':
            break;
          default:
            FAIL() << "an escape that is not expected: " << bytes.substr(i + 1, end - i);
        }
        i = end;
      } else if (bytes[i] == '\n') {
        ++row_;
        column_ = 0;
      } else if (bytes[i] == '\r') {
        column_ = 0;
      } else {
        row().resize(std::max(row().size(), column_ + 1), ' ');
        row()[column_++] = bytes[i];
      }
    }
  }

  std::vector<std::string> text() {
    row();
    std::vector<std::string> text = rows_;
    while (!text.empty() && text.back().empty()) text.pop_back();
    return text;
  }

  int cursor_row() const { return row_; }

 private:
  std::string& row() {
    if (rows_.size() <= static_cast<std::size_t>(row_)) {
      rows_.resize(static_cast<std::size_t>(row_) + 1);
    }
    return rows_[static_cast<std::size_t>(row_)];
  }

  std::vector<std::string> rows_;
  int row_ = 0;
  std::size_t column_ = 0;
};

class Block : public ::testing::Test {
 protected:
  Block() {
    winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(openpty(&outside_, &inside_, nullptr, nullptr, &size), 0);
    termios raw{};
    tcgetattr(inside_, &raw);
    cfmakeraw(&raw);
    tcsetattr(inside_, TCSANOW, &raw);
    fcntl(outside_, F_SETFL, O_NONBLOCK);
  }

  ~Block() override {
    close(inside_);
    close(outside_);
  }

  std::vector<std::string> shown() {
    std::array<char, 4096> bytes{};
    ssize_t got = 0;
    while ((got = read(outside_, bytes.data(), bytes.size())) > 0) {
      screen_.take(std::string(bytes.data(), static_cast<std::size_t>(got)));
    }
    return screen_.text();
  }

  void resize(unsigned short width) {
    const winsize size{.ws_row = 24, .ws_col = width, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(outside_, TIOCSWINSZ, &size);
  }

  int outside_ = -1;
  int inside_ = -1;
  Screen screen_;
};

TEST_F(Block, IsDrawnInPlaceAndLinesStandAboveIt) {
  LiveBlock block(inside_);
  block.print("before\n");
  block.draw({"one of two", "two of two"});
  EXPECT_THAT(shown(), ElementsAre("before", "one of two", "two of two"));
  block.draw({"1", "2", "3"});
  EXPECT_THAT(shown(), ElementsAre("before", "1", "2", "3"));
  block.print("a warning\n");
  EXPECT_THAT(shown(), ElementsAre("before", "a warning", "1", "2", "3"));
  block.draw({"end"});
  EXPECT_THAT(shown(), ElementsAre("before", "a warning", "end"));
}

TEST_F(Block, LeavesNothingAndTheCursorWhereTheNextLineBegins) {
  LiveBlock block(inside_);
  block.print("before\n");
  block.draw({"1", "2"});
  block.close();
  block.draw({"not any more"});
  block.print("after\n");
  EXPECT_THAT(shown(), ElementsAre("before", "after"));
  EXPECT_EQ(screen_.cursor_row(), 2);
}

TEST_F(Block, OfATerminalThatWasMadeNarrowerTheWrappedRowsGoToo) {
  LiveBlock block(inside_);
  block.draw({std::string(30, 'x')});
  shown();
  resize(20);
  EXPECT_EQ(block.size().width, 20);
  block.draw({"short"});
  std::array<char, 256> bytes{};
  const ssize_t got = read(outside_, bytes.data(), bytes.size());
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string(bytes.data(), static_cast<std::size_t>(got)),
            "\r\x1b[2Ashort\x1b[K\n\x1b[J");
}

// After Ctrl-S, or when the other end of an ssh is dead.
TEST_F(Block, NobodyWaitsForATerminalThatTakesNothing) {
  fcntl(inside_, F_SETFL, O_NONBLOCK);
  LiveBlock block(inside_);
  const std::string line(78, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5000; ++i) {
    block.draw({line, line});
    block.print("a warning\n");
  }
  block.close();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  // What it got is whole, and so is what comes when it takes some again.
  std::vector<std::string> text = shown();
  block.print("after\n");
  text = shown();
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text.back(), "after");
  for (const std::string& row : text) EXPECT_THAT(row, AnyOf(line, "a warning", "after"));
}

TEST_F(Block, IsLeftWhereItStandsWhenTheTerminalIsOthers) {
  LiveBlock block(inside_);
  block.draw({"1", "2"});
  block.let_go();
  block.print("a line\n");
  block.draw({"3"});
  EXPECT_THAT(shown(), ElementsAre("1", "2", "a line", "3"));
}

TEST(LiveBlockSize, OfWhatIsNoTerminal) {
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const LiveBlock block(null);
  EXPECT_EQ(block.size().width, 80);
  EXPECT_EQ(block.size().height, 24);
  close(null);
}

}  // namespace
}  // namespace vsr::status
