// What the network costs, counted from its shapes: for estimates and for shares of a card's peak.
#pragma once

#include "vsr/base/picture.hpp"
#include "vsr/model/checkpoint.hpp"

namespace vsr::model {

// GFLOP (a multiply and an add count two) of the convolutions for one frame of `lr` in a long
// window. x4 c64 n7: 15.07 MFLOP an input pixel.
double network_gflop(const NetworkShape& shape, const PictureFormat& lr);

// Weights and biases.
double network_parameters(const NetworkShape& shape);

}  // namespace vsr::model
