// GPU types that can be rented: how fast they are and what they cost, by runpod/gpus.json, which is
// inside the program. docs/costs.md tells where its figures come from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::launcher {

struct GpuType {
  std::string name;       // the driver's
  double rate = 0;        // of the network, relative to the reference's
  bool measured = false;  // else estimated
  int cores = 0;          // that usually come with one
  double price = 0;       // dollars an hour for one
  std::string price_date;
};

struct GpuTypes {
  std::vector<GpuType> types;
  // Frames a second of the network's own, of one GPU with rate 1, at `reference_pixels` a picture;
  // by the network's name ("c64n7").
  std::map<std::string, double> network_fps;
  double reference_pixels = 0;
  double film_share = 0;  // of this rate, that a film gets from its source to its mezzanines
  double overhead_h = 0;  // that are paid for besides: the start, the last pieces

  const GpuType* find(std::string_view name) const;  // null: there is none of this name
};

const GpuTypes& gpu_types();

}  // namespace vsr::launcher
