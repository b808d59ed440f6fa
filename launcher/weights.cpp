#include "weights.hpp"

#include "vsr/base/atomic_file.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/figure_text.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/gpu/nccl_broadcast.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace vsr::launcher {

namespace {

// For set-up, transfer and end together. On one host they take a second or two; what is left is for
// many hosts and slow names, and is what a start loses when NCCL fails.
constexpr double kNccl_s = 20;
// Then the file is read, perhaps off a network volume that has to fetch it.
constexpr double kAnswer_s = kNccl_s + 100;
// By MPI they come in pieces, so that ranks that do not want them need no memory to speak of.
constexpr std::uint64_t kPiece_bytes = 16u << 20;
// A checkpoint that rank 0 has read as such is far smaller.
constexpr std::uint64_t kMost_bytes = std::uint64_t{4} << 30;

constexpr std::array<const char*, 3> kWays = {"own", "mpi", "nccl"};

std::string to_hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) text += format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// Nothing when it is none.
std::optional<std::string> from_hex(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() % 2 != 0 || text.find_first_not_of(kDigits) != std::string::npos) return {};
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes += static_cast<char>(kDigits.find(text[i]) * 16 + kDigits.find(text[i + 1]));
  }
  return bytes;
}

struct Got {
  const char* how = "by NCCL";
  std::string lacking;  // why there are none; empty: there are
};

// Rank 0 gives `bytes`, the others get them; by NCCL, or else from the file.
Got get_weights(const WeightsOrder& order, bool gives, std::string& bytes, const FastWay& fast) {
  try {
    bytes.resize(order.offer.bytes);
    fast(std::as_writable_bytes(std::span(bytes)));
    if (gives || sha256_of(bytes) == order.sha256) return {};
    throw Error(ErrorCode::kGpu, "NCCL: the bytes arrived damaged");
  } catch (const std::exception& error) {
    log::warning("cluster",
                 "the weights {} by NCCL, {} instead: {}",
                 gives ? "do not reach every rank" : "do not come",
                 gives ? "each reads the file" : "the file is read",
                 error.what());
  }
  Got got{.how = "from the file"};
  if (gives) return got;
  try {
    bytes = read_file(order.file, order.offer.bytes);
    if (sha256_of(bytes) == order.sha256) return got;
    got.lacking = format("{}: another file than rank 0's", order.file);
  } catch (const Error& error) {
    got.lacking = error.what();
  }
  bytes.clear();
  return got;
}

// Whether one of the ranks has said that it lacks the weights; on rank 0, which tells of them.
bool some_lack(const std::vector<std::string>& answers) {
  std::string those;
  std::string why;
  for (std::size_t rank = 0; rank < answers.size(); ++rank) {
    if (answers[rank].empty()) continue;
    those += format("{}{}", those.empty() ? "" : ", ", rank);
    if (why.empty()) why = answers[rank];
  }
  if (those.empty()) return false;
  log::info("cluster", "rank {} gets the weights by MPI: {}", those, why);
  return true;
}

// All ranks take part; `bytes` become rank 0's where they are lacking.
void broadcast_in_pieces(cluster::Communicator& communicator,
                         std::uint64_t size,
                         bool lacking,
                         std::string& bytes) {
  const bool gives = communicator.rank() == 0;
  if (lacking) bytes.reserve(size);
  for (std::uint64_t at = 0; at < size; at += kPiece_bytes) {
    std::string piece = gives ? bytes.substr(at, kPiece_bytes) : std::string();
    communicator.broadcast(piece);
    if (lacking) bytes += piece;
  }
}

std::string share(cluster::Communicator& communicator,
                  const WeightsOrder& order,
                  std::string bytes,
                  const FastWay& fast) {
  const auto begin = std::chrono::steady_clock::now();
  const bool gives = communicator.rank() == 0;
  bool lacking = order.wanted && !gives;
  bool by_mpi = true;
  const char* how = "by MPI";
  if (order.offer.way == WeightsWay::kNccl) {  // Note [Nobody waits for a rank whose NCCL fails]
    const Got got = order.wanted ? get_weights(order, gives, bytes, fast) : Got();
    lacking = !got.lacking.empty();
    const auto answers = cluster::gather(communicator, got.lacking, kAnswer_s);
    std::string word = gives && some_lack(answers) ? "by MPI" : "";
    communicator.broadcast(word);
    by_mpi = !word.empty();
    if (!lacking && !(gives && by_mpi)) how = got.how;
  }
  if (by_mpi) broadcast_in_pieces(communicator, order.offer.bytes, lacking, bytes);
  if (lacking && sha256_of(bytes) != order.sha256) {
    throw Error(ErrorCode::kCluster,
                "the weights arrived damaged by MPI: look at the network between the hosts, and at "
                "their memory");
  }
  if (!order.wanted) return {};
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  log::debug("cluster",
             "weights: {} {} in {}",
             size_text(static_cast<double>(order.offer.bytes)),
             how,
             duration_text(took.count()));
  return bytes;
}

}  // namespace

std::string encode(const WeightsOffer& offer) {
  return format("{} {} {}",
                kWays.at(static_cast<std::size_t>(offer.way)),
                offer.bytes,
                to_hex(offer.nccl_id));
}

WeightsOffer decode_weights_offer(const std::string& line) {
  std::istringstream words(line);
  std::string way;
  std::string id;
  WeightsOffer offer;
  words >> way >> offer.bytes;
  const bool read = !words.fail();
  words >> id;
  const auto known = std::find(kWays.begin(), kWays.end(), way);
  const auto decoded = from_hex(id);
  if (!read || known == kWays.end() || !decoded) {
    throw Error(ErrorCode::kCluster, "how the weights come is torn");
  }
  offer.way = static_cast<WeightsWay>(known - kWays.begin());
  offer.nccl_id = *decoded;
  return offer;
}

WeightsWay choose_weights_way(const Job& job,
                              const std::vector<Resources>& ranks,
                              const std::vector<cluster::Capacity>& capacities) {
  bool others = false;
  bool gpus = job.stream.device != DeviceChoice::kCpu && capacities.at(0).upscales;
  std::set<std::string> taken;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!capacities.at(rank).upscales) continue;
    others = others || rank > 0;
    const std::string& gpu = ranks[rank].gpu_id;
    gpus = gpus && !gpu.empty() && taken.insert(gpu).second;
  }
  if (job.model.checkpoint == "embedded" || !others) return WeightsWay::kOwn;
  return gpus ? WeightsWay::kNccl : WeightsWay::kMpi;
}

Weights offer_weights(const Job& job,
                      const store::Plan& plan,
                      const std::vector<Resources>& ranks,
                      const std::vector<cluster::Capacity>& capacities) {
  Weights weights;
  weights.offer.way = choose_weights_way(job, ranks, capacities);
  if (weights.offer.way == WeightsWay::kOwn) return weights;
  weights.bytes = read_file(job.model.checkpoint, kMost_bytes);
  weights.offer.bytes = weights.bytes.size();
  if (sha256_of(weights.bytes) != plan.identity.at("model")) {
    throw Error(ErrorCode::kModel,
                format("{} was changed while the run began: start again", job.model.checkpoint));
  }
  if (weights.offer.way != WeightsWay::kNccl) return weights;
  try {
    weights.offer.nccl_id = gpu::make_nccl_id();
  } catch (const Error& error) {
    log::warning("cluster", "the weights go out by MPI: {}", error.what());
    weights.offer.way = WeightsWay::kMpi;
  }
  return weights;
}

std::string share_weights(cluster::Communicator& communicator,
                          const WeightsOrder& order,
                          std::string bytes,
                          const FastWay& fast) {
  if (order.offer.way == WeightsWay::kOwn) return {};
  try {
    return share(communicator, order, std::move(bytes), fast);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCluster) throw;
    throw Error(ErrorCode::kCluster, error.what());  // the others wait: they cannot go on
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kCluster, format("the weights cannot be shared: {}", error.what()));
  }
}

std::string share_weights(cluster::Communicator& communicator,
                          const Job& job,
                          const store::Plan& plan,
                          const std::vector<cluster::Capacity>& capacities,
                          const WeightsOffer& offer,
                          std::string bytes) {
  const auto begin = capacities.begin();
  const auto own = begin + communicator.rank();
  const auto upscales = [](const cluster::Capacity& capacity) { return capacity.upscales; };
  const FastWay by_nccl = [&](std::span<std::byte> all) {
    const gpu::NcclPlace place{
        .rank = static_cast<int>(std::count_if(begin, own, upscales)),
        .ranks = static_cast<int>(std::count_if(begin, capacities.end(), upscales)),
        .device = choose_device(job.stream.device, communicator.local_rank()).index};
    gpu::nccl_broadcast(offer.nccl_id, place, all, kNccl_s);
  };
  const WeightsOrder order{.offer = offer,
                           .wanted = own->upscales,
                           .file = job.model.checkpoint,
                           .sha256 = plan.identity.at("model")};
  return share_weights(communicator, order, std::move(bytes), by_nccl);
}

}  // namespace vsr::launcher
