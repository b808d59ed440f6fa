#include "vsr/gpu/card_monitor.hpp"

#include "vsr/base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace vsr::gpu {
namespace {

using ::testing::HasSubstr;

// What a reading gives and what the log says of it, with the card asked three times.
class Card : public ::testing::Test {
 protected:
  ~Card() override {
    log::configure({});
    unsetenv("VSR_FAKE_NVML");
  }

  CardReading read(const std::string& library, const std::string& card = "GPU-1") {
    log::configure(
        {.terminal = log::Level::kDebug,
         .terminal_writer = [this](std::string_view line) { said_.emplace_back(line); }});
    CardMonitor monitor(card, library);
    monitor.read();
    monitor.read();
    return monitor.read();
  }

  void expect_nothing_known(const CardReading& reading, const char* why) {
    EXPECT_EQ(reading.memory_used, -1);
    EXPECT_EQ(reading.memory, -1);
    EXPECT_EQ(reading.load, -1);
    ASSERT_EQ(said_.size(), 1u);
    EXPECT_THAT(said_[0], HasSubstr(why));
  }

  std::vector<std::string> said_;
};

TEST_F(Card, TellsMemoryAndLoad) {
  const CardReading reading = read(VSR_FAKE_NVML_LIBRARY);
  EXPECT_EQ(reading.memory_used, 50e9);
  EXPECT_EQ(reading.memory, 80e9);
  EXPECT_DOUBLE_EQ(reading.load, 0.97);
  EXPECT_TRUE(said_.empty());
}

TEST_F(Card, WithoutTheLibraryNothingIsKnown) {
  expect_nothing_known(read("libvsr-no-such-library.so.1"), "libvsr-no-such-library.so.1");
}

TEST_F(Card, ALibraryThatLacksACallIsNone) {
  expect_nothing_known(read(VSR_POOR_NVML_LIBRARY), "no nvmlDeviceGetUtilizationRates");
}

TEST_F(Card, ACardThatTheDriverDoesNotKnow) {
  expect_nothing_known(read(VSR_FAKE_NVML_LIBRARY, "GPU-2"), "nvmlDeviceGetHandleByUUID: error 6");
}

TEST_F(Card, ADriverThatDoesNotBegin) {
  setenv("VSR_FAKE_NVML", "init", 1);
  expect_nothing_known(read(VSR_FAKE_NVML_LIBRARY), "nvmlInit_v2: error 9");
}

// As parts of a card (MIG) are: memory, and no load.
TEST_F(Card, WhatOneCallDoesNotTellTheOtherMay) {
  setenv("VSR_FAKE_NVML", "load", 1);
  const CardReading reading = read(VSR_FAKE_NVML_LIBRARY);
  EXPECT_EQ(reading.memory_used, 50e9);
  EXPECT_EQ(reading.load, -1);
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_THAT(said_[0], HasSubstr("Not Supported"));
  setenv("VSR_FAKE_NVML", "memory", 1);
  EXPECT_EQ(read(VSR_FAKE_NVML_LIBRARY).memory, -1);
}

}  // namespace
}  // namespace vsr::gpu
