// What a BasicVSR++ network is made of: the keys and shapes of all its tensors, and how a file's
// keys tell which network it is.
#pragma once

#include "checkpoint/tensor_view.hpp"
#include "vsr/model/checkpoint.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vsr::model {

// Every tensor of a network, by key without prefix, with its shape.
// REQUIRES: as network_shape_of() gives it.
std::map<std::string, std::vector<std::int64_t>> network_tensors(const NetworkShape& shape);

// The network's tensors among a file's, by key without prefix. The pointers lead into `index`, the
// names are the file's.
struct NamedTensor {
  std::string name;  // as in the file, for messages
  const StoredTensor* tensor = nullptr;
};

using NetworkIndex = std::map<std::string, NamedTensor>;

// Takes off a leading "module.", then "generator_ema." or "generator." where the file has such keys
// (both: the averaged weights, generator_ema, are taken). Leaves out what training keeps beside the
// generator; refuses any other key outside it.
NetworkIndex network_tensors_in(const TensorIndex& index);

// Reads the network's shape off the keys. Refuses what is no BasicVSR++ at all.
NetworkShape network_shape_of(const NetworkIndex& index);

// Refuses, naming the key, what is missing, left over, of another shape or of no floating dtype.
void check_network(const NetworkShape& shape, const NetworkIndex& index);

}  // namespace vsr::model
