// From a job to a plan, on rank 0: look at the film and the model, decide everything, or find that
// the run directory already holds a plan for just this.
#pragma once

#include "vsr/job/job.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace vsr::launcher {

// What a rank brings; told to rank 0 before the plan is made.
struct Resources {
  std::string host;
  int cpus = 1;                  // this rank's share
  std::uint64_t host_bytes = 0;  // likewise
  std::string gpu;               // empty: none
  std::uint64_t gpu_free_bytes = 0;
};

Resources own_resources(int local_rank, int local_size);
std::string encode(const Resources& resources);
Resources decode_resources(const std::string& bytes);

// The GPU that a rank uses, or the CPU, by the job's wish. Throws Error(kGpu) when a GPU is asked
// for and there is none.
model::DeviceSpec choose_device(DeviceChoice choice, int local_rank);

// The file the job's checkpoint stands for ("embedded": the model shipped with the program).
std::string checkpoint_file(const std::string& checkpoint);

model::UpscalerOptions upscaler_options(const Job& job,
                                        const media::Timeline& timeline,
                                        const model::DeviceSpec& device);
media::MezzanineCodec codec_of(SegmentCodec codec);
// How the mezzanines are tagged: the timeline's colour in limited range, as video codecs want it.
ColourDescription mezzanine_colour(const Job& job, const media::Timeline& timeline);

struct Prepared {
  media::SourceInfo source;
  media::Timeline timeline;
  store::Plan plan;
  model::NetworkShape network;
  bool resumed = false;
};

// Reads the plan of `directory` or makes a new one and writes it. Throws Error(kUsage) naming every
// difference when the directory holds the plan of another job, input or model.
Prepared prepare(const Job& job,
                 const store::RunDirectory& directory,
                 const std::vector<Resources>& ranks,
                 const std::atomic<int>& stop);

// The same without a run directory and without work: for --dry-run.
Prepared prepare_dry(const Job& job,
                     const model::Checkpoint& checkpoint,
                     const std::vector<Resources>& ranks);

// Bytes that all mezzanines of the plan will take, roughly.
std::uint64_t mezzanine_bytes(const Job& job, const store::Plan& plan);

}  // namespace vsr::launcher
