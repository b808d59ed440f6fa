// The model inside the program: what `model.checkpoint = embedded` names, so that a copied program
// needs no file beside it. models/README.md says what it is trained on.
#pragma once

#include "vsr/model/checkpoint.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace vsr::launcher {

struct EmbeddedModel {
  std::string name;                       // "mix_c32n3"
  std::span<const std::byte> checkpoint;  // a .pth file
  std::span<const std::byte> golden;      // a golden file (HDF5) for `vsr-dist selftest`
};

EmbeddedModel embedded_model();

// By a job's model.checkpoint: "embedded" or a file. Throws Error(kModel).
model::Checkpoint read_checkpoint(const std::string& checkpoint);

}  // namespace vsr::launcher
