#include "rate_limit.hpp"

#include <algorithm>
#include <cstddef>

namespace vsr::status {

namespace {

constexpr std::size_t kAddresses = 4096;

}  // namespace

double RateLimit::filled(const Bucket& bucket, Time now) const {
  const double since = std::chrono::duration<double>(now - bucket.filled).count();
  return std::min(at_once_, bucket.left + since * per_s_);
}

bool RateLimit::take(const std::string& address, Time now) {
  if (buckets_.size() >= kAddresses && buckets_.count(address) == 0) {
    // A full bucket is no other than a new one.
    std::erase_if(buckets_, [&](const auto& item) { return filled(item.second, now) >= at_once_; });
  }
  const bool room = buckets_.size() < kAddresses || buckets_.count(address) > 0;
  Bucket& bucket =
      buckets_.try_emplace(room ? address : std::string(), Bucket{at_once_, now}).first->second;
  bucket = {filled(bucket, now), now};
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

}  // namespace vsr::status
