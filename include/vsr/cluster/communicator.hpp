// The ranks of one start, and how they speak. Under mpirun or srun this is MPI; without, a world
// of one that needs no MPI at all.
//
// Nobody blocks on a peer: sends are queued, receives are polled, and the one broadcast (before the
// first segment) sleeps between looks, since a blocking MPI call spins a core that others need.
//
// Threads: all calls from the one thread that created it (MPI_THREAD_FUNNELED).
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace vsr::cluster {

struct Message {
  int from = 0;
  std::string bytes;
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Among the ranks of this host.
  virtual int local_rank() const = 0;
  virtual int local_size() const = 0;

  // Rank 0's `bytes` become everybody's. Only before the first segment.
  virtual void broadcast(std::string& bytes) = 0;
  // Queues a message; returns at once. To itself is fine. Between two ranks order is kept.
  virtual void send(int to, std::string bytes) = 0;
  // The next message if one has arrived.
  virtual std::optional<Message> poll() = 0;
  // Waits (sleeping) until what was sent has left, at most `timeout_s`.
  virtual void flush(double timeout_s) = 0;
  // Ends all ranks at once: the last resort when one cannot go on.
  [[noreturn]] virtual void abort(int status) = 0;

  // Some rank cannot be reached any more: the usual end would wait for it for ever, abort() does
  // not.
  void give_up() { given_up_ = true; }

  bool given_up() const { return given_up_; }

 private:
  bool given_up_ = false;
};

// A world of one unless an MPI launcher started this process. Throws Error(kCluster).
std::unique_ptr<Communicator> make_communicator();
// A world of one whatever the surroundings; which of the host's ranks it is says what it takes of
// the host (a GPU, a share of the processors).
std::unique_ptr<Communicator> make_solo_communicator(int local_rank = 0, int local_size = 1);

// "Open MPI v4.1.4", for --version.
std::string mpi_version();

}  // namespace vsr::cluster
