// Encoders that take pictures in turn: each codes a whole picture by itself on a thread of its own,
// and the packets come out in the order of the pictures. Knows nothing of codecs. Private to
// src/media.
//
// Errors: the first failure, of an encoder or of what takes the packets, stops them all; pictures
// not yet encoded are let go, and send() and finish() throw that failure from then on.
// Threads: send() and finish() from one thread at a time.
#pragma once

#include "av.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace vsr::media {

struct EncodedPicture {
  PacketPtr packet;
  std::uint32_t checksum = 0;
  double spent_s = 0;  // that the encoder was at it
};

class EncoderPool {
 public:
  // The picture's one packet. Called on the encoder's own thread, for one picture at a time.
  using Encode = std::function<PacketPtr(const AVFrame& picture)>;
  // Gets the packets in order, one at a time, on any of the encoders' threads.
  using Take = std::function<void(EncodedPicture& picture)>;

  // `most_inside`: pictures sent and not yet taken; more make send() wait.
  // REQUIRES: at least one encoder, most_inside > 0.
  EncoderPool(std::vector<Encode> encoders, std::size_t most_inside, Take take);
  // Waits for the pictures that encoders are at; drops those that wait for one. What `take` and the
  // encoders use has to live until then.
  ~EncoderPool();
  EncoderPool(const EncoderPool&) = delete;
  EncoderPool& operator=(const EncoderPool&) = delete;

  // Does not wait while fewer than `most_inside` are inside. The picture is freed as soon as it is
  // encoded, on the encoder's thread.
  void send(FramePtr picture);
  // Waits until all that was sent has been taken.
  void finish();

  // Seconds in which all encoders together could have done what they did, or the packets were
  // taken, whichever is longer: the least that a run of pictures takes. To be called after
  // finish().
  double busy_s() const;

 private:
  struct Waiting {
    std::int64_t number;
    FramePtr picture;
  };

  void work(const Encode& encode);
  void hand_over(std::int64_t number, EncodedPicture encoded);
  void fail(std::exception_ptr failure);
  void stop();

  const std::size_t most_inside_;
  const Take take_;
  const std::vector<Encode> encoders_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;  // a picture waits, or there will be none
  std::condition_variable taken_or_failed_;
  // All below guarded by mutex_.
  std::deque<Waiting> waiting_;
  std::map<std::int64_t, EncodedPicture> done_;  // encoded before their turn
  std::int64_t sent_ = 0;
  std::int64_t taken_ = 0;
  bool taking_ = false;  // a thread is at it
  bool stopped_ = false;
  std::exception_ptr failure_;
  double encoding_s_ = 0;
  double taking_s_ = 0;

  std::vector<std::thread> threads_;
};

}  // namespace vsr::media
