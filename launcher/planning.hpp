// From a job to a plan, on rank 0: look at the film and the model, decide everything, or find that
// the run directory already holds a plan for just this.
#pragma once

#include "resources.hpp"
#include "vsr/base/tiles.hpp"
#include "vsr/job/job.hpp"
#include "vsr/media/segment_writer.hpp"
#include "vsr/media/source.hpp"
#include "vsr/media/timeline.hpp"
#include "vsr/model/checkpoint.hpp"
#include "vsr/model/upscaler.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// The GPU that a rank uses, or the CPU, by the job's wish. Throws Error(kGpu) when a GPU is asked
// for and there is none.
model::DeviceSpec choose_device(DeviceChoice choice, int local_rank);
// What decodes the film for a rank, in the context of the GPU that the network uses; pictures stay
// there where they can. Throws Error(kGpu) as above.
media::DecodeDevice decode_device(const StreamOptions& stream, int local_rank);
// Refuses stream.decode = nvdec for a film that it cannot decode here, before any work is done.
// `why_decode`: as the film will be read from a lossless copy, which is not made yet.
void check_decoding(const Job& job,
                    const media::Timeline& timeline,
                    const std::optional<std::string>& why_decode);

model::UpscalerOptions upscaler_options(const Job& job,
                                        const media::Timeline& timeline,
                                        const model::DeviceSpec& device);
// Takes the size of the mezzanines' pictures into the options, and who encodes them. Throws
// Error(kUsage) naming the key for what this network and device cannot do, here or in the options.
void set_output(model::UpscalerOptions& options,
                const Job& job,
                const model::NetworkShape& network,
                const PictureFormat& picture);
media::MezzanineCodec codec_of(SegmentCodec codec);
// Keys of the final encode that the picture depends on, and not sound alone.
bool changes_film_picture(const std::string& key);
// What segments become: "prores mezzanines", "chunks for libx265".
std::string describe_segments(const Job& job);
// How the mezzanines are tagged: the timeline's colour in limited range, as video codecs want it.
ColourDescription mezzanine_colour(const Job& job, const media::Timeline& timeline);

// Film and model, looked at before anything is made.
struct Ingredients {
  media::SourceInfo source;
  model::Checkpoint checkpoint;
  // What of the job, the film and the model the segments depend on, by name.
  std::map<std::string, std::string> identity;
};

// Throws Error(kInput), Error(kModel).
Ingredients look_at(const Job& job);

// The same without the model, for a job that upscales nothing: it needs none.
Ingredients look_at_film(const Job& job);

struct Prepared {
  media::SourceInfo source;
  media::Timeline timeline;
  store::Plan plan;
  model::NetworkShape network;  // not known to prepare_to_encode()
};

// Reads the plan of `directory` or makes a new one and writes it. `check` sees what is planned
// before anything that takes long and before anything is written; what it throws ends the start.
// Throws Error(kUsage) naming every difference when the directory holds the plan of another job,
// input or model.
Prepared prepare(const Job& job,
                 const Ingredients& ingredients,
                 const store::RunDirectory& directory,
                 const std::vector<Resources>& ranks,
                 const std::function<void(const Prepared&)>& check,
                 const std::atomic<int>& stop);

// By the plan that another job has made in `directory`, of whatever model, on whatever device;
// needs neither. Nothing as long as there is none. `film`: of look_at_film(). Throws Error(kUsage)
// as above.
std::optional<Prepared> prepare_to_encode(const Job& job,
                                          Ingredients film,
                                          const store::RunDirectory& directory);

struct DryPrepared {
  Prepared prepared;
  std::optional<store::RunDirectory> run;  // that the plan was read from
};

// The plan of the run in run.dir, unless `fresh`, or one without a run directory and without work:
// for --dry-run. For that one scene cuts are not looked for, so ends of segments are where they lie
// without them. Throws as prepare() does.
DryPrepared prepare_dry(const Job& job,
                        const Ingredients& ingredients,
                        const std::vector<Resources>& ranks,
                        bool fresh,
                        const std::atomic<int>& stop);

// The plan's timeline with the file that it reads: a plan names none, so that film and run
// directory may be moved between two starts.
media::Timeline timeline_of(const store::Plan& plan,
                            const Job& job,
                            const store::RunDirectory& directory);

// Frames that a window may hold at most, halo and all, if memory allows: an eighth of a segment
// (48 frames at least) and the overlap on both sides. What of a window's network or encoder nothing
// else runs beside is then an eighth of a segment's. Where the GPU makes packets no encoder is left
// to stand still, and it is a quarter: less is computed twice.
int longest_window(int segment_frames, int overlap, bool packets);

// What the network sees at once.
struct WindowSize {
  int max_seq_len = 0;  // frames
  TileSize tile;

  bool operator==(const WindowSize&) const = default;
};

// stream.max_seq_len and stream.tile, or for "auto" what the memory of the smallest of `ranks`
// holds (and the host's, where features are kept there); the same for all ranks, since both show
// (faintly) in the pictures. No window is longer than `segment_frames`, which the longest segment
// has with its halo; by "auto" longest_window() at most. Pictures stay whole as long as memory
// holds a window that has something between two overlaps; else they are cut into the tiles with
// which the least is computed twice. Throws Error(kGpu), or Error(kUsage) for host memory, when
// memory does not hold one frame.
WindowSize choose_window(const Job& job,
                         const model::NetworkShape& network,
                         const model::UpscalerOptions& options,
                         std::int64_t segment_frames,
                         const std::vector<Resources>& ranks);

// The [preprocess] and [input] sections as the media room takes them, for this film.
media::TimelineOptions timeline_options(const Job& job, const media::SourceInfo& source);

// Bytes that a segment's mezzanine or chunk, and all films together, will take, roughly.
double segment_bytes(const Job& job, const store::Plan& plan, const Segment& segment);
double chunk_bytes(const Job& job, const store::Plan& plan, const Segment& segment);
double film_bytes(const Job& job, const store::Plan& plan);

}  // namespace vsr::launcher
