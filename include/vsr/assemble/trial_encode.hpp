// How much work the final encode of a film is: tried on a few of its pictures, before any of them
// has been upscaled.
#pragma once

#include "vsr/assemble/assemble.hpp"
#include "vsr/base/picture.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace vsr::assemble {

struct TrialEncode {
  std::int64_t frames = 0;  // that came back from the encoder
  // Processor time that went into enlarging the pictures, which a run has a network for: whoever
  // measures the process takes it off.
  double enlarging_s = 0;
};

// Enlarges `pictures`, as the network would get them (`colour` is theirs), to spec.picture by
// Lanczos; from there on they are scaled and encoded as a chunk is, with spec.options, threads and
// one_of_many, to the encoder's last packet, which is thrown away. So what an encoder holds back
// counts as what it gives at once. Writes nothing; holds as many pictures as such an encode does.
// `progress` as for encode_chunk(), but that stopping is no error: the result then tells how far it
// came. REQUIRES: one picture at least, all of one format. Throws Error as encode_chunk() does.
TrialEncode try_encode(const AssembleSpec& spec,
                       const ColourDescription& colour,
                       const std::vector<PictureView>& pictures,
                       const std::function<bool(std::int64_t)>& progress);

}  // namespace vsr::assemble
