#include "doctor/checks.hpp"
#include "version.hpp"
#include "vsr/base/atomic_file.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <future>
#include <sstream>
#include <string_view>

namespace vsr::launcher::doctor {

namespace fs = std::filesystem;

namespace {

constexpr double kAnswer_s = 20;
// No questions; by IPv4, as Open MPI's own connections are.
constexpr const char* kSsh = "ssh -4 -o BatchMode=yes -o ConnectTimeout=5";

bool plain(std::string_view text, std::string_view besides) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           besides.find(c) != std::string_view::npos;
  });
}

ProcessResult ssh(const Host& host, const std::string& command, const std::atomic<int>& stop) {
  std::vector<std::string> arguments;
  std::istringstream words(kSsh);
  for (std::string word; words >> word;) arguments.push_back(word);
  if (host.port != 0) arguments.push_back(format("-p{}", host.port));
  arguments.insert(arguments.end(), {"--", host.name, command});
  return run_process(arguments, kAnswer_s, stop);
}

// The last line that begins so; empty without one.
std::string line_of(const std::string& text, std::string_view begin) {
  std::istringstream lines(text);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.starts_with(begin)) found = line;
  }
  return found;
}

// For the peer's shell, which sees nothing of a user's: from there to the address that we come from
// as it is seen there, to a port of ours and by ssh.
std::string way_back(std::uint16_t port) {
  return format(
      "bash -c 'us=${{SSH_CONNECTION%% *}}; "
      "timeout 5 bash -c \": <> /dev/tcp/$us/{}\" && echo port $us; "
      "{} -- $us true && echo ssh $us'",
      port,
      kSsh);
}

Check check_peer(const Host& host,
                 const fs::path& program,
                 std::uint16_t port,
                 const std::atomic<int>& stop) {
  const std::string name = "peer " + host.name;
  const auto failed = [&](const std::string& seen, const std::string& advice) {
    return failure(name, ErrorCode::kCluster, seen, advice);
  };
  const ProcessResult there = ssh(host, program.string() + " --version", stop);
  const std::string said = there.late ? "no answer" : line_of(there.output, "");
  if (there.late || there.status == 255) {
    return failed(said,
                  "'ssh " + host.name +
                      " true' has to work without a password: our public key into its "
                      "~/.ssh/authorized_keys, its host key into our known_hosts");
  }
  for (const char* begin : {"vsr-dist ", "MPI: "}) {
    const std::string theirs = line_of(there.output, begin);
    const std::string ours = line_of(all_versions(), begin);
    if (there.status == 0 && theirs == ours) continue;
    return failed(format("'{}' where we have '{}'", theirs.empty() ? said : theirs, ours),
                  "install the same on every host, as " + program.string());
  }
  const ProcessResult back = ssh(host, way_back(port), stop);
  const std::string seen =
      line_of(there.output, "vsr-dist ") + ", " + line_of(there.output, "MPI: ");
  const std::string complaint = back.late ? "no answer" : line_of(back.output, "");
  if (line_of(back.output, "port ").empty()) {
    return failed(format("{}; it cannot connect to port {} here: {}", seen, port, complaint),
                  "Open MPI needs free ports both ways: a network without filters between the "
                  "hosts, and its name as btl_tcp_if_include");
  }
  if (line_of(back.output, "ssh ").empty()) {
    return warning(name,
                   seen + "; it reaches us, but not by ssh: " + complaint,
                   "an sshd here and one key for all hosts, or mpirun --mca "
                   "plm_rsh_no_tree_spawn 1");
  }
  return ok(name, seen + "; it reaches us at " + line_of(back.output, "port ").substr(5));
}

}  // namespace

std::vector<Host> read_hosts(const fs::path& file) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::kUsage, what); };
  std::string text;
  try {
    text = read_file(file, 1 << 20);
  } catch (const Error& error) {
    refuse(format("--hosts: {}", error.what()));
  }
  std::istringstream lines(text);
  std::vector<Host> hosts;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string place = format("{}:{}: ", file.string(), number);
    std::istringstream words(line.substr(0, line.find('#')));
    Host host;
    if (!(words >> host.name)) continue;
    if (!plain(host.name, ".-_") || !plain(host.name.substr(0, 1), "")) {
      refuse(format(
          "{}'{}' is no host name: letters, digits, '.', '-' and '_' are", place, host.name));
    }
    for (std::string word; words >> word;) {
      if (!word.starts_with("port=")) continue;
      host.port = parse_number<int>(std::string_view(word).substr(5)).value_or(0);
      if (host.port < 1 || host.port > 65535) refuse(format("{}'{}': 1 to 65535", place, word));
    }
    hosts.push_back(host);
  }
  if (hosts.empty()) refuse(file.string() + ": names no host");
  return hosts;
}

std::vector<Check> check_peers(const std::vector<Host>& hosts, const std::atomic<int>& stop) {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  if (!plain(program.string(), "/._-+")) {  // ssh hands it to the peer's shell
    return {failure("peers",
                    ErrorCode::kCluster,
                    program.string() + " holds more than letters, digits and /._-+",
                    "install the program elsewhere, the same on every host")};
  }
  const Listener listener;
  std::vector<std::future<Check>> asked;
  asked.reserve(hosts.size());
  for (const Host& host : hosts) {
    asked.push_back(std::async(std::launch::async, [&] {
      return attempt("peer " + host.name,
                     [&] { return check_peer(host, program, listener.port(), stop); });
    }));
  }
  std::vector<Check> checks;
  checks.reserve(hosts.size());
  for (auto& answer : asked) checks.push_back(answer.get());
  return checks;
}

}  // namespace vsr::launcher::doctor
