#include "embedded_model.hpp"

#include "vsr/base/format.hpp"

// The assembler puts the files into the program as they are: no generated source of tens of
// megabytes. VSR_EMBEDDED_MODEL is the file's path without ".pth". NOLINTBEGIN(hicpp-no-assembler)
asm(R"(
    .section .rodata
    .balign 64
vsr_embedded_checkpoint:
    .incbin ")" VSR_EMBEDDED_MODEL R"(.pth"
vsr_embedded_checkpoint_end:
    .balign 64
vsr_embedded_golden:
    .incbin ")" VSR_EMBEDDED_MODEL R"(.golden.h5"
vsr_embedded_golden_end:
    .global vsr_embedded_checkpoint, vsr_embedded_checkpoint_end
    .global vsr_embedded_golden, vsr_embedded_golden_end
    .hidden vsr_embedded_checkpoint, vsr_embedded_checkpoint_end
    .hidden vsr_embedded_golden, vsr_embedded_golden_end
    .previous
)");
// NOLINTEND(hicpp-no-assembler)

extern "C" {
extern const std::byte vsr_embedded_checkpoint[];
extern const std::byte vsr_embedded_checkpoint_end[];
extern const std::byte vsr_embedded_golden[];
extern const std::byte vsr_embedded_golden_end[];
}

namespace vsr::launcher {

EmbeddedModel embedded_model() {
  const std::string path = VSR_EMBEDDED_MODEL;
  return {.name = path.substr(path.rfind('/') + 1),
          .checkpoint = {vsr_embedded_checkpoint, vsr_embedded_checkpoint_end},
          .golden = {vsr_embedded_golden, vsr_embedded_golden_end}};
}

model::Checkpoint read_checkpoint(const std::string& checkpoint) {
  if (checkpoint != "embedded") return model::Checkpoint::read(checkpoint);
  const EmbeddedModel embedded = embedded_model();
  return model::Checkpoint::read(embedded.checkpoint,
                                 format("the embedded model {}", embedded.name));
}

}  // namespace vsr::launcher
