// CUDA streams: the bare handle of one that somebody else owns, so that no header of ours shows
// CUDA's, and a stream of one's own.
#pragma once

namespace vsr::gpu {

// `handle` is a cudaStream_t (null: the device's default stream); `device` the number of the device
// it belongs to, or -1 for the host, where everything has happened by the time a call returns.
struct StreamView {
  void* handle = nullptr;
  int device = -1;
};

// Work queued in it runs in order, beside that of all other streams (the default one too).
// Ownership: moves, never copies. Threads: one may queue while another waits.
class Stream {
 public:
  Stream() = default;  // the host
  // `urgent`: its kernels go before others' where both wait for room. Throws Error(kGpu).
  explicit Stream(int device, bool urgent = false);
  ~Stream();
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  StreamView view() const { return view_; }

  // Until everything queued so far is done; the thread sleeps. Throws Error(kGpu).
  void wait() const;

 private:
  StreamView view_;
};

}  // namespace vsr::gpu
