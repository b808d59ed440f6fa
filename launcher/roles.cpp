#include "roles.hpp"

#include "vsr/assemble/assemble.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <algorithm>
#include <sstream>

namespace vsr::launcher {

namespace {

// An encoder keeps some sixty pictures (lookahead, references, those on their way), scaled and as
// they are decoded.
constexpr double kPicturesInEncoder = 60;
constexpr double kPicturesInSvt = 160;  // measured at 2560x1440, preset 4: 1.9 GB
constexpr double kPicturesDecoded = 8;
constexpr double kEncoderShare = 0.5;  // of the memory; the rest is the upscaler's and the cache's
constexpr int kCoresOfEncoder = 2;
constexpr double kGatherTimeout_s = 120;
constexpr int kEncodersOnGpu = 2;  // one fills what the other's start and end leave

double encoder_bytes(const Job& job, const store::Plan& plan) {
  const PictureFormat film =
      job.final.height > 0 ? assemble::final_picture(job.final, plan.picture, plan.sample_aspect)
                           : plan.picture;
  constexpr double kBytes420 = 3;  // a pixel, 16 bits a sample
  const auto pixels = [](const PictureFormat& picture) {
    return static_cast<double>(picture.width) * picture.height;
  };
  const double held = job.final.encoder == "libsvtav1" ? kPicturesInSvt : kPicturesInEncoder;
  return held * kBytes420 * pixels(film) +
         kPicturesDecoded * static_cast<double>(packed_bytes(plan.picture));
}

bool encodes_on_gpu(const Job& job) { return job.final.encoder == "hevc_nvenc"; }

bool may_encode(const Job& job, const Resources& rank) {
  return job.cluster.encoders != 0 && !(encodes_on_gpu(job) && rank.gpu.empty());
}

int encoders_of(const Job& job, const store::Plan& plan, const Resources& rank) {
  const bool on_gpu = encodes_on_gpu(job);
  if (!may_encode(job, rank)) return 0;
  if (job.cluster.encoders >= 0) return job.cluster.encoders;
  if (on_gpu) return kEncodersOnGpu;
  const double room =
      kEncoderShare * static_cast<double>(rank.host_bytes) / encoder_bytes(job, plan);
  return std::clamp(rank.cpus / kCoresOfEncoder, 1, std::max(1, static_cast<int>(room)));
}

bool upscales(const Job& job, const Resources& rank, bool gpus) {
  if (rank.encodes_only) return false;
  return !gpus || job.stream.device != DeviceChoice::kAuto || !rank.gpu.empty();
}

bool any_gpu(const std::vector<Resources>& ranks) {
  return std::any_of(ranks.begin(), ranks.end(), [](const Resources& rank) {
    return !rank.encodes_only && !rank.gpu.empty();
  });
}

}  // namespace

std::vector<Resources> gather_resources(const Arguments& arguments,
                                        cluster::Communicator& communicator) {
  const auto answers = cluster::gather(
      communicator,
      encode(own_resources(
          communicator.local_rank(), communicator.local_size(), arguments.encode_only)),
      kGatherTimeout_s);
  std::vector<Resources> ranks;
  ranks.reserve(answers.size());
  for (const std::string& answer : answers) ranks.push_back(decode_resources(answer));
  share_processors(ranks);
  return ranks;
}

bool makes_chunks(const Job& job) {
  return job.cluster.final == FinalEncode::kDistributed &&
         job.segment.codec != SegmentCodec::kNone && job.final.encoder != "copy";
}

bool encode_follows(const Job& job) {
  return job.segment.codec != SegmentCodec::kNone && job.final.encoder != "copy" &&
         !makes_chunks(job);
}

bool only_encodes(const std::vector<Resources>& ranks) {
  return std::all_of(
      ranks.begin(), ranks.end(), [](const Resources& rank) { return rank.encodes_only; });
}

std::vector<Resources> upscaling(const Job& job, const std::vector<Resources>& ranks) {
  std::vector<Resources> those;
  const bool gpus = any_gpu(ranks);
  for (const Resources& rank : ranks) {
    if (upscales(job, rank, gpus)) those.push_back(rank);
  }
  if (those.empty()) {
    throw Error(ErrorCode::kUsage,
                "every rank was started with --role=encode, and what --dry-run plans and measures "
                "is of ranks that upscale: leave the role away");
  }
  return those;
}

std::vector<cluster::Capacity> capacities(const Job& job,
                                          const store::Plan& plan,
                                          const std::vector<Resources>& ranks) {
  std::vector<cluster::Capacity> all;
  const bool gpus = any_gpu(ranks);
  const bool chunks = makes_chunks(job);
  if (chunks) check_encoders(job, ranks);
  for (const Resources& rank : ranks) {
    const int encoders = chunks ? encoders_of(job, plan, rank) : 0;
    all.push_back({.upscales = upscales(job, rank, gpus), .encoders = encoders, .cpus = rank.cpus});
  }
  return all;
}

void check_encoders(const Job& job, const std::vector<Resources>& ranks) {
  for (const Resources& rank : ranks) {
    if (may_encode(job, rank)) return;
  }
  throw Error(
      ErrorCode::kUsage,
      job.cluster.encoders == 0
          ? std::string("cluster.encoders = 0 leaves nobody to encode the film's chunks: "
                        "give some, or cluster.final = central")
          : format("final.encoder = {} needs a GPU, and no rank has one", job.final.encoder));
}

std::string encode(const std::vector<cluster::Capacity>& ranks) {
  std::string text;
  for (const cluster::Capacity& rank : ranks) {
    text += format("{} {} {} ", rank.upscales ? 1 : 0, rank.encoders, rank.cpus);
  }
  return text;
}

std::vector<cluster::Capacity> decode_capacities(const std::string& text) {
  std::vector<cluster::Capacity> ranks;
  std::istringstream words(text);
  int upscales = 0;
  int encoders = 0;
  int cpus = 0;
  while (words >> upscales >> encoders >> cpus) ranks.push_back({upscales != 0, encoders, cpus});
  if (!words.eof()) throw Error(ErrorCode::kCluster, "what the ranks are to do is torn");
  return ranks;
}

}  // namespace vsr::launcher
