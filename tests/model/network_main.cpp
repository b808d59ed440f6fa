// As GoogleTest's own main(), but several of these programs at once do not fight over the cores.
#include "vsr/model/cpu_waiting.hpp"

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  vsr::model::make_waiting_passive(argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
