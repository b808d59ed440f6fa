// The dates inside a DVD subtitle. A packet says by its pts when it starts; when its picture is
// shown and taken away again is written in its display-control sequences, as delays from that
// start in units of 1024/90000 s. Retiming the film must retime these too.
#pragma once

#include "vsr/base/rational.hpp"

#include <cstdint>
#include <span>

namespace vsr::assemble {

// Multiplies every control-sequence date in `packet` by `stretch` (25/24: slower), rounded to the
// nearest unit and at most the largest date there is. Returns false, and changes nothing, when the
// packet is no well-formed subpicture unit.
bool rescale_spu_dates(std::span<std::uint8_t> packet, const Rational& stretch);

}  // namespace vsr::assemble
