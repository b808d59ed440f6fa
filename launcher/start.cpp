#include "start.hpp"

#include "roles.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"
#include "vsr/job/job_file.hpp"

namespace vsr::launcher {

// "ok", what the ranks do, how the weights come, "live" and the job's name on a line each, the job
// as a job file after its length on a line, so that it needs no escaping, and the plan's bytes.
std::string encode_start(const Start& start) {
  const std::string job = print_job(start.job, false);
  return format("ok\n{}\n{}\n{}\n{}\n{}\n{}",
                encode(start.capacities),
                encode(start.weights),
                start.live ? "live" : "",
                start.job_name,
                job.size(),
                job) +
         store::encode_plan(start.plan);
}

std::string encode_start_failure() { return "error\n"; }

std::optional<Start> decode_start(const std::string& bytes) {
  std::size_t at = 0;
  const auto line = [&] {
    const std::size_t end = bytes.find('\n', at);
    if (end == std::string::npos) throw Error(ErrorCode::kCluster, "the start is torn");
    const std::string text = bytes.substr(at, end - at);
    at = end + 1;
    return text;
  };
  if (line() != "ok") return std::nullopt;
  Start start;
  start.capacities = decode_capacities(line());
  start.weights = decode_weights_offer(line());
  start.live = line() == "live";
  start.job_name = line();
  const auto size = parse_number<std::size_t>(line());
  if (!size || *size > bytes.size() - at) throw Error(ErrorCode::kCluster, "the start is torn");
  start.job = parse_job_text(bytes.substr(at, *size));
  start.plan = store::decode_plan(bytes.substr(at + *size));
  return start;
}

}  // namespace vsr::launcher
