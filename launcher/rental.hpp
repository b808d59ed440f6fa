// What a film would take, in hours and dollars, on GPUs that can be rented: for --dry-run.
#pragma once

#include "estimate.hpp"
#include "gpu_types.hpp"

#include <string>
#include <vector>

namespace vsr::launcher {

// What of a dry run the table stands on.
struct MeasuredHere {
  Estimate estimate;    // of what is left, on this machine
  std::string gpu;      // that upscaling was measured on; empty: on none
  std::string network;  // "c64n7"
  bool half = true;     // in fp16 or bf16 by the fused back end, which the table's rates are of
  double pixels = 0;    // of a picture that the network sees; what tiles share counts for each
};

struct Rental {
  const GpuType* type = nullptr;
  int count = 0;
  double upscaling_h = 0;
  double encoding_h = 0;
  double hours = 0;  // from the first start to the film
  double dollars = 0;
};

// One GPU of each type upscales by its rate relative to the one measured here, or by the table
// where that does not know it; encoders take what they took here of the cores that come with each
// GPU. REQUIRES: why_not_told(here) is empty.
Rental rental_of(const MeasuredHere& here, const GpuType& type, int count);

// Whether both stages are known for other machines; empty if so, else why not.
std::string why_not_told(const MeasuredHere& here);

// A row for each type, with one GPU and with four, cheapest first. REQUIRES as above.
std::vector<std::vector<Rental>> rental_rows(const MeasuredHere& here);

// A heading that tells by what, then these rows, and what has to be said of them; or why there is
// none.
std::vector<std::string> rental_lines(const MeasuredHere& here);

}  // namespace vsr::launcher
