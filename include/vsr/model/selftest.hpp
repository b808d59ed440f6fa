// Does the network compute on this machine what it should? A checkpoint against golden data.
#pragma once

#include "vsr/model/checkpoint.hpp"
#include "vsr/model/network.hpp"
#include "vsr/store/golden_file.hpp"

#include <string>
#include <vector>

namespace vsr::model {

struct SelftestRow {
  std::string name;  // "output", "flows_forward", "backward_1", ...
  double max_abs_error = 0;
  double psnr_db = 0;  // of a peak of 1, or of the golden values' largest magnitude if that is more
  // What the row is held to: a largest error in fp32, a least PSNR in the other precisions.
  double most_abs_error = 0;
  double least_psnr_db = 0;
  bool passed = false;
};

struct SelftestResult {
  std::vector<SelftestRow> rows;  // the output first, then the intermediates present
  double seconds = 0;             // of the forward pass
  bool passed = false;
};

// Runs the network over the golden input `lq` and compares with whatever else the file holds.
// Throws Error(kModel) when the file holds no input or output, or does not suit the checkpoint.
SelftestResult selftest(const Checkpoint& checkpoint,
                        const NetworkOptions& options,
                        const store::GoldenFile& golden);

}  // namespace vsr::model
