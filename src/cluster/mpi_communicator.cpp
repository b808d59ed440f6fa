#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/log.hpp"
#include "vsr/cluster/communicator.hpp"

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <list>
#include <set>
#include <thread>
#include <utility>

namespace vsr::cluster {

namespace {

constexpr int kTag = 77;
constexpr auto kNap = std::chrono::milliseconds(2);
constexpr auto kLastReceive = std::chrono::seconds(5);
constexpr std::size_t kReceivingAtOnce = 32;

void check_mpi(int result, const char* doing) {
  if (result == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
  int length = 0;
  MPI_Error_string(result, text.data(), &length);
  throw Error(ErrorCode::kCluster, format("MPI cannot {}: {}", doing, text.data()));
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int provided = 0;
    check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "start");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "tell the rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "tell the number of ranks");
    MPI_Comm host = MPI_COMM_NULL;
    check_mpi(
        MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host),
        "find the ranks of this host");
    MPI_Comm_rank(host, &local_rank_);
    MPI_Comm_size(host, &local_size_);
    MPI_Comm_free(&host);
  }

  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  ~MpiCommunicator() override {
    try {
      flush(5);
      // Whatever is being received is let in, should its sender live: nobody wants it any more.
      const auto deadline = std::chrono::steady_clock::now() + kLastReceive;
      while (!receiving_.empty() && std::chrono::steady_clock::now() < deadline) {
        if (!next_received()) std::this_thread::sleep_for(kNap);
      }
    } catch (const Error& error) {
      log::warning("cluster", "{}", error.what());
    }
    MPI_Finalize();
  }

  int rank() const override { return rank_; }

  int size() const override { return size_; }

  int local_rank() const override { return local_rank_; }

  int local_size() const override { return local_size_; }

  void broadcast(std::string& bytes) override {
    std::uint64_t length = bytes.size();
    broadcast_bytes(&length, sizeof(length));
    bytes.resize(length);
    // In pieces: MPI counts with an int.
    constexpr std::uint64_t kPiece = 1u << 28;
    for (std::uint64_t at = 0; at < length; at += kPiece) {
      broadcast_bytes(bytes.data() + at, static_cast<int>(std::min(kPiece, length - at)));
    }
  }

  void send(int to, std::string bytes) override {
    if (to == rank_) {
      own_.push_back({rank_, std::move(bytes)});
      return;
    }
    drop_finished();
    sending_.push_back({std::move(bytes), MPI_REQUEST_NULL});
    Sending& last = sending_.back();
    check_mpi(MPI_Isend(last.bytes.data(),
                        static_cast<int>(last.bytes.size()),
                        MPI_BYTE,
                        to,
                        kTag,
                        MPI_COMM_WORLD,
                        &last.request),
              "send");
  }

  std::optional<Message> poll() override {
    if (!own_.empty()) {
      Message message = std::move(own_.front());
      own_.pop_front();
      return message;
    }
    look_for_mail();
    if (auto message = next_received()) return message;
    drop_finished();
    return std::nullopt;
  }

  void flush(double timeout_s) override {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
    while (true) {
      drop_finished();
      if (sending_.empty() || std::chrono::steady_clock::now() > deadline) return;
      std::this_thread::sleep_for(kNap);
    }
  }

  [[noreturn]] void abort(int status) override {
    log::flush();
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
  }

 private:
  struct Sending {
    std::string bytes;  // belongs to MPI until the request is done
    MPI_Request request;
  };

  // A large message comes in many parts, for each of which both ends have to look: it is received
  // over several calls, so that nobody waits for the other's naps.
  struct Receiving {
    Message message;
    MPI_Request request;
  };

  void look_for_mail() {
    while (receiving_.size() < kReceivingAtOnce) {
      int there = 0;
      MPI_Message handle = MPI_MESSAGE_NULL;
      MPI_Status status;
      check_mpi(MPI_Improbe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &there, &handle, &status),
                "look for mail");
      if (there == 0) return;
      int length = 0;
      MPI_Get_count(&status, MPI_BYTE, &length);
      receiving_.push_back(
          {{status.MPI_SOURCE, std::string(static_cast<std::size_t>(length), '\0')},
           MPI_REQUEST_NULL});
      Receiving& last = receiving_.back();
      check_mpi(MPI_Imrecv(last.message.bytes.data(), length, MPI_BYTE, &handle, &last.request),
                "receive");
    }
  }

  // The first that is whole, unless one that the same rank sent before it is not.
  std::optional<Message> next_received() {
    std::set<int> unfinished;
    for (auto it = receiving_.begin(); it != receiving_.end(); ++it) {
      if (unfinished.contains(it->message.from)) continue;
      int done = 0;
      check_mpi(MPI_Test(&it->request, &done, MPI_STATUS_IGNORE), "receive");
      if (done == 0) {
        unfinished.insert(it->message.from);
        continue;
      }
      Message message = std::move(it->message);
      receiving_.erase(it);
      return message;
    }
    return std::nullopt;
  }

  void broadcast_bytes(void* data, int length) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(data, length, MPI_BYTE, 0, MPI_COMM_WORLD, &request), "broadcast");
    int done = 0;
    while (true) {
      check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "broadcast");
      if (done != 0) return;
      std::this_thread::sleep_for(kNap);
    }
  }

  void drop_finished() {
    for (auto it = sending_.begin(); it != sending_.end();) {
      int done = 0;
      check_mpi(MPI_Test(&it->request, &done, MPI_STATUS_IGNORE), "send");
      it = done != 0 ? sending_.erase(it) : std::next(it);
    }
  }

  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  std::deque<Message> own_;
  std::list<Sending> sending_;  // lists: MPI holds on to the buffers' addresses
  std::list<Receiving> receiving_;
};

bool started_by_a_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<Communicator> make_communicator() {
  if (!started_by_a_launcher()) return make_solo_communicator();
  return std::make_unique<MpiCommunicator>();
}

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING + 1> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data());
  return version.substr(0, version.find(','));
}

}  // namespace vsr::cluster
