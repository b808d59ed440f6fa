// So many requests a second and address, and some more at once (a token bucket each). Private.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

namespace vsr::status {

class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  RateLimit(double per_s, double at_once) : per_s_(per_s), at_once_(at_once) {}

  // False: too many. Remembers some thousand addresses; where there are more, the rest share one
  // bucket.
  bool take(const std::string& address, Time now);

 private:
  struct Bucket {
    double left = 0;
    Time filled;
  };

  double filled(const Bucket& bucket, Time now) const;

  double per_s_;
  double at_once_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace vsr::status
