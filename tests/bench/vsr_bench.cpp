// vsr-bench: how fast each part of vsr-dist is on this machine, as tables in Markdown.
#include "subjects.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/model/cpu_waiting.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace vsr;

struct Subject {
  const char* name;
  const char* words;
  const char* what;
  void (*run)(bench::Arguments&);
};

constexpr Subject kSubjects[] = {
    {"ceilings",
     "",
     "what this GPU can do at all: copies, and a large product of halves",
     bench::bench_ceilings},
    {"network",
     "CHECKPOINT [WIDTH HEIGHT FRAMES [PRECISION [FILM [ROUNDS [FEATURES]]]]]",
     "the fused network alone, frames on the device: frames a second, by part, memory",
     bench::bench_network},
    {"layers",
     "CHECKPOINT [WIDTH HEIGHT FRAMES [PRECISION [FILM]]]",
     "each kernel of it beside its roofline",
     bench::bench_layers},
    {"memory",
     "CHECKPOINT [PRECISION]",
     "what its windows take of the GPU's memory, by size and length, beside what was predicted",
     bench::bench_memory},
    {"tiles",
     "CHECKPOINT [WIDTH HEIGHT FRAMES [TILE_WIDTH TILE_HEIGHT [OVERLAPS,.. [compare|alone "
     "[FILM]]]]]",
     "the network in tiles, beside the same pictures whole: time, memory, seams; alone: what does "
     "not fit whole",
     bench::bench_tiles},
    {"convolutions",
     "",
     "the kernels of the 3x3 convolutions alone, Hopper's beside the generic ones; blocks of two",
     bench::bench_convolutions},
    {"alignment",
     "",
     "the alignment's kernels alone, Hopper's beside the generic one",
     bench::bench_alignment},
    {"colour", "", "colour conversion and scaling kernels", bench::bench_colour},
    {"copies", "", "a film's pictures and packets to and from the GPU", bench::bench_copies},
    {"prores", "[FOLDER]", "the ProRes encoder on the GPU, by grain", bench::bench_prores},
    {"reference",
     "CHECKPOINT [WIDTH HEIGHT FRAMES [PRECISION [cpu|cuda [THREADS]]]]",
     "the reference back end, by part",
     bench::bench_reference},
    {"decode",
     "[FILM [PICTURES [THREADS [FILTERS]]]]",
     "decoding by the processor and by NVDEC; without FILM of two films made on the spot",
     bench::bench_decode},
    {"encode",
     "[WIDTH HEIGHT [PICTURES [CODEC [THREADS,.. [ENCODERS,.. [lend|copy]]]]]]",
     "mezzanines by the processor; ENCODERS 0: as the program chooses",
     bench::bench_encode},
    {"pipeline",
     "VSR-DIST [--section.key=value ..]",
     "the program from source to mezzanines, beside the network alone; run.dir: a temporary one",
     bench::bench_pipeline},
    {"film",
     "FILE [WIDTH HEIGHT FRAMES [ENCODER]]",
     "makes a film out of the shipped clip, up to 1280x720; no measurement",
     bench::make_film},
    {"frames",
     "FILE [WIDTH HEIGHT FRAMES [FILM]]",
     "writes the frames that `network` takes as raw RGB, 8 bits; no measurement",
     bench::make_frames}};

std::string usage() {
  std::string text = "usage: vsr-bench SUBJECT [WORDS]\n\n";
  for (const Subject& subject : kSubjects) {
    const bool any = *subject.words != '\0';
    text +=
        format("  {}{}{}\n      {}\n", subject.name, any ? " " : "", subject.words, subject.what);
  }
  return text +
         "\nFILM is any film that FFmpeg reads; without one it is the clip of the source tree. Its "
         "pictures are\nscaled to WIDTH x HEIGHT and repeated there and back.\n";
}

int run(const std::vector<std::string>& words) {
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) {
    std::printf("%s", usage().c_str());
    return 0;
  }
  if (words.empty()) throw Error(ErrorCode::kUsage, "what to measure? see vsr-bench --help");
  for (const Subject& subject : kSubjects) {
    if (words[0] != subject.name) continue;
    bench::Arguments arguments(words[0], {words.begin() + 1, words.end()});
    subject.run(arguments);
    return 0;
  }
  throw Error(ErrorCode::kUsage, format("no subject '{}'; see vsr-bench --help", words[0]));
}

}  // namespace

int main(int argc, char** argv) {
  model::make_waiting_passive(argv);
  try {
    return run({argv + 1, argv + argc});
  } catch (const Error& error) {
    std::fprintf(stderr, "vsr-bench: %s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vsr-bench: %s\n", error.what());
    return static_cast<int>(ErrorCode::kInternal);
  }
}
