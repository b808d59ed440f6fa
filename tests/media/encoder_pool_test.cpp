#include "media/encoder_pool.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace vsr::media {
namespace {

using std::chrono::milliseconds;

PacketPtr packet_of(const AVFrame& picture) {
  PacketPtr packet = make_packet();
  check_av(av_new_packet(packet.get(), 4), ErrorCode::kInternal, "packet");
  std::fill_n(packet->data, 4, static_cast<std::uint8_t>(picture.pts));
  packet->pts = picture.pts;
  return packet;
}

// A frame that counts itself while it lives.
FramePtr counted_picture(std::int64_t number, std::atomic<int>& alive) {
  static std::byte samples[16];
  const PictureFormat format{4, 4, ColourModel::kGray};
  PictureView view{.format = format, .planes = {samples}, .pitch_bytes = {4}};
  ++alive;
  FramePtr frame = borrowed_frame(view, [&alive] { --alive; });
  frame->pts = number;
  return frame;
}

std::vector<EncoderPool::Encode> several(std::size_t count, const EncoderPool::Encode& encode) {
  return std::vector<EncoderPool::Encode>(count, encode);
}

std::string failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Whether `work` comes to an end; a thread that hangs would hang the program too, so it is told.
void expect_to_end(const std::function<void()>& work) {
  std::packaged_task<void()> task(work);
  auto done = task.get_future();
  std::thread thread(std::move(task));
  if (done.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    ADD_FAILURE() << "hangs";
    std::abort();
  }
  thread.join();
  done.get();
}

TEST(EncoderPool, PacketsComeInOrderWhateverEachPictureTakes) {
  std::atomic<int> alive = 0;
  std::vector<std::int64_t> taken;
  const auto encode = [](const AVFrame& picture) {
    std::this_thread::sleep_for(milliseconds(picture.pts * 7 % 5));
    return packet_of(picture);
  };
  EncoderPool pool(several(4, encode), 7, [&](EncodedPicture& picture) {
    taken.push_back(picture.packet->pts);
  });
  for (int i = 0; i < 200; ++i) pool.send(counted_picture(i, alive));
  pool.finish();
  EXPECT_EQ(alive, 0);
  ASSERT_EQ(taken.size(), 200u);
  for (std::size_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken[i], static_cast<std::int64_t>(i));
  pool.finish();
}

TEST(EncoderPool, SendWaitsOnlyWhenAllPlacesAreTaken) {
  std::atomic<int> alive = 0;
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future().share();
  EncoderPool pool(several(2,
                           [gate](const AVFrame& picture) {
                             gate.wait();
                             return packet_of(picture);
                           }),
                   4,
                   [](EncodedPicture&) {});
  expect_to_end([&] {
    for (int i = 0; i < 4; ++i) pool.send(counted_picture(i, alive));
  });
  EXPECT_EQ(alive, 4);
  std::atomic<bool> fifth_in = false;
  std::thread sender([&] {
    pool.send(counted_picture(4, alive));
    fifth_in = true;
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(fifth_in);
  open.set_value();
  sender.join();
  pool.finish();
  EXPECT_EQ(alive, 0);
}

TEST(EncoderPool, NoMorePicturesInsideThanAllowedThoughOneIsSlow) {
  std::atomic<int> alive = 0;
  int most = 0;
  const auto encode = [](const AVFrame& picture) {
    if (picture.pts == 3) std::this_thread::sleep_for(milliseconds(100));
    return packet_of(picture);
  };
  std::int64_t taken = 0;
  EncoderPool pool(several(4, encode), 6, [&](EncodedPicture&) { ++taken; });
  for (int i = 0; i < 40; ++i) {
    pool.send(counted_picture(i, alive));
    most = std::max(most, alive.load());
  }
  pool.finish();
  EXPECT_LE(most, 6);
  EXPECT_EQ(taken, 40);
}

TEST(EncoderPool, AFailureOfAnyEncoderReachesTheCallerAndNothingHangs) {
  for (const std::size_t encoders : {1u, 2u, 5u}) {
    for (const std::int64_t bad : {0, 1, 17, 39}) {
      std::atomic<int> alive = 0;
      std::vector<std::int64_t> taken;
      expect_to_end([&] {
        const auto encode = [bad](const AVFrame& picture) {
          if (picture.pts == bad) throw Error(ErrorCode::kInternal, "picture refused");
          return packet_of(picture);
        };
        EncoderPool pool(several(encoders, encode), encoders + 2, [&](EncodedPicture& picture) {
          taken.push_back(picture.packet->pts);
        });
        const auto all = [&] {
          for (int i = 0; i < 40; ++i) pool.send(counted_picture(i, alive));
          pool.finish();
        };
        EXPECT_EQ(failure_of(all), "picture refused");
        // Whoever asks again is told again.
        EXPECT_EQ(failure_of([&] { pool.finish(); }), "picture refused");
        EXPECT_EQ(failure_of([&] { pool.send(counted_picture(99, alive)); }), "picture refused");
      });
      EXPECT_EQ(alive, 0);
      // Nothing is taken behind the picture that is missing.
      for (const std::int64_t number : taken) EXPECT_LT(number, bad);
    }
  }
}

TEST(EncoderPool, AFailureOfTakingReachesTheCallerAndNothingIsTakenAfterIt) {
  std::atomic<int> alive = 0;
  std::vector<std::int64_t> taken;
  expect_to_end([&] {
    EncoderPool pool(several(3, packet_of), 5, [&](EncodedPicture& picture) {
      if (picture.packet->pts == 11) throw Error(ErrorCode::kStorage, "the disk is full");
      taken.push_back(picture.packet->pts);
    });
    EXPECT_EQ(failure_of([&] {
                for (int i = 0; i < 40; ++i) pool.send(counted_picture(i, alive));
                pool.finish();
              }),
              "the disk is full");
  });
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(taken.size(), 11u);
}

TEST(EncoderPool, EndsWithPicturesInside) {
  std::atomic<int> alive = 0;
  expect_to_end([&] {
    const auto encode = [](const AVFrame& picture) {
      std::this_thread::sleep_for(milliseconds(5));
      return packet_of(picture);
    };
    EncoderPool pool(several(2, encode), 20, [](EncodedPicture&) {});
    for (int i = 0; i < 20; ++i) pool.send(counted_picture(i, alive));
  });
  EXPECT_EQ(alive, 0);
}

TEST(EncoderPool, BusyIsTheLeastItTook) {
  const auto encode = [](const AVFrame& picture) {
    std::this_thread::sleep_for(milliseconds(10));
    return packet_of(picture);
  };
  std::atomic<int> alive = 0;
  EncoderPool pool(several(4, encode), 7, [](EncodedPicture&) {});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) pool.send(counted_picture(i, alive));
  pool.finish();
  const double wall_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_GE(pool.busy_s(), 0.05);
  EXPECT_LE(pool.busy_s(), wall_s);
}

}  // namespace
}  // namespace vsr::media
