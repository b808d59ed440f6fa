// What vsr-bench measures: each takes the words after its name and prints tables. vsr_bench.cpp
// says what the words are. All throw Error.
#pragma once

#include "arguments.hpp"

namespace vsr::bench {

// These need a GPU; a build without CUDA refuses them.
void bench_ceilings(Arguments& words);
void bench_network(Arguments& words);
void bench_layers(Arguments& words);
void bench_memory(Arguments& words);
void bench_tiles(Arguments& words);
void bench_convolutions(Arguments& words);
void bench_alignment(Arguments& words);
void bench_colour(Arguments& words);
void bench_copies(Arguments& words);
void bench_prores(Arguments& words);

void bench_reference(Arguments& words);
void bench_decode(Arguments& words);
void bench_encode(Arguments& words);
void bench_pipeline(Arguments& words);

// No measurements: what they are made on.
void make_film(Arguments& words);
void make_frames(Arguments& words);

}  // namespace vsr::bench
