// How long the device takes for a ProRes picture of 4096x1728, by grain; whole and by kernel, as
// medians over pictures that do not fit the device's cache together. The first packet of each is
// compared with the reference's.
//
//   prores_bench [FOLDER]     also leaves each first packet there, as grain-N.icpf
//
// It includes the source, so that it can start the kernels one by one.
#include "cuda/prores_encode.cu"
#include "prores_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace vsr::kernels {
namespace {

constexpr int kWidth = 4096;
constexpr int kHeight = 1728;
constexpr int kPictures = 4;
constexpr int kRounds = 12;

void check(cudaError_t status) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s\n", cudaGetErrorString(status));
  std::exit(1);
}

// Soft shapes with some sharp edges, and grain of this standard deviation (of 1023).
test::HostPicture made_picture(int index, double grain) {
  test::HostPicture picture(kWidth, kHeight);
  std::uint64_t state = 88172645463325252ull + static_cast<std::uint64_t>(index);
  const auto random = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<double>(state >> 40) / (1 << 24) - 0.5;
  };
  for (int p = 0; p < 3; ++p) {
    const int width = picture.plane_width(p);
    const double size = p == 0 ? 1 : 0.4;
    std::vector<double> across(static_cast<std::size_t>(width));
    for (int x = 0; x < width; ++x) {
      across[static_cast<std::size_t>(x)] =
          120 * std::sin(x * 0.004 + index) + 25 * std::sin(x * 0.11) + 6 * std::sin(x * 0.9 + p);
    }
    for (int y = 0; y < kHeight; ++y) {
      const double down = 90 * std::cos(y * 0.007) + 20 * std::sin(y * 0.13 + index);
      for (int x = 0; x < width; ++x) {
        const double edge = (x / 3 + 2 * y) % 700 < 250 ? 60 : 0;
        // The sum of four is close to a normal distribution, of variance 4 / 12.
        const double noise = (random() + random() + random() + random()) * 1.732 * grain;
        const double value =
            500 + size * (across[static_cast<std::size_t>(x)] + down + edge) + noise;
        picture.planes[p][static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                          static_cast<std::size_t>(x)] =
            static_cast<std::uint16_t>(std::min(std::max(std::lround(value), 4l), 1019l));
      }
    }
  }
  return picture;
}

struct Uploaded {
  ProresPicture view;
};

Uploaded upload(const test::HostPicture& picture) {
  Uploaded uploaded;
  for (int p = 0; p < 3; ++p) {
    const std::size_t bytes = picture.planes[p].size() * sizeof(std::uint16_t);
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes));
    check(cudaMemcpy(memory, picture.planes[p].data(), bytes, cudaMemcpyHostToDevice));
    uploaded.view.planes[p] = static_cast<const std::uint16_t*>(memory);
    uploaded.view.pitch_bytes[p] = picture.plane_width(p) * 2;
  }
  return uploaded;
}

double median(std::vector<float> times) {
  std::sort(times.begin(), times.end());
  return static_cast<double>(times[times.size() / 2]);
}

class Bench {
 public:
  Bench() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event));
    settings_.width = kWidth;
    settings_.height = kHeight;
    check(cudaMalloc(&workspace_, prores_workspace_bytes(settings_)));
    capacity_ = prores_packet_capacity(settings_);
    check(cudaMalloc(&packet_, capacity_));
    check(cudaMallocHost(&packet_bytes_, sizeof(std::uint32_t)));
  }

  // True if the bytes are the reference's.
  bool run(double grain, const std::string& folder) {
    std::vector<Uploaded> pictures;
    test::HostPicture first;
    for (int i = 0; i < kPictures; ++i) {
      const test::HostPicture picture = made_picture(i, grain);
      if (i == 0) first = picture;
      pictures.push_back(upload(picture));
    }
    const gpu::StreamView stream{stream_, 0};
    launch_prores_encode(settings_,
                         pictures[0].view,
                         workspace_,
                         static_cast<std::byte*>(packet_),
                         packet_bytes_,
                         stream);
    check(cudaStreamSynchronize(stream_));
    std::vector<std::uint8_t> packet(std::min<std::size_t>(*packet_bytes_, capacity_));
    check(cudaMemcpy(packet.data(), packet_, packet.size(), cudaMemcpyDeviceToHost));
    const bool same = packet == test::prores_reference(settings_, first);

    std::vector<float> whole;
    std::vector<float> parts[3];
    for (int i = 0; i < kRounds * kPictures; ++i) {
      const prores::Job job = prores::job_of(settings_,
                                             pictures[static_cast<std::size_t>(i % kPictures)].view,
                                             workspace_,
                                             static_cast<std::byte*>(packet_),
                                             packet_bytes_);
      check(cudaEventRecord(events_[0], stream_));
      prores::start_offer(job, stream);
      prores::start_plan(job, stream);
      prores::start_write(job, stream);
      check(cudaEventRecord(events_[1], stream_));
      check(cudaEventSynchronize(events_[1]));
      whole.push_back(between(0, 1));
      check(cudaEventRecord(events_[0], stream_));
      prores::start_offer(job, stream);
      check(cudaEventRecord(events_[1], stream_));
      prores::start_plan(job, stream);
      check(cudaEventRecord(events_[2], stream_));
      prores::start_write(job, stream);
      check(cudaEventRecord(events_[3], stream_));
      check(cudaEventSynchronize(events_[3]));
      for (int part = 0; part < 3; ++part) parts[part].push_back(between(part, part + 1));
    }
    const double ms = median(whole);
    const double picture_bytes = 4.0 * kWidth * kHeight;
    std::printf(
        "grain %4.1f: %8zu bytes, %.3f ms (transform and count %.3f, plan %.3f, write %.3f), %.0f "
        "fps, %.0f GB/s of samples, %.1f%% of the device at 100 fps; %s\n",
        grain,
        packet.size(),
        ms,
        median(parts[0]),
        median(parts[1]),
        median(parts[2]),
        1000 / ms,
        picture_bytes / ms / 1e6,
        ms * 10,
        same ? "the reference's bytes" : "NOT THE REFERENCE'S BYTES");
    if (!folder.empty()) {
      std::ofstream file(folder + "/grain-" + std::to_string(std::lround(grain)) + ".icpf",
                         std::ios::binary);
      file.write(reinterpret_cast<const char*>(packet.data()),
                 static_cast<std::streamsize>(packet.size()));
    }
    for (const Uploaded& picture : pictures) {
      for (const std::uint16_t* plane : picture.view.planes) {
        check(cudaFree(const_cast<std::uint16_t*>(plane)));
      }
    }
    return same;
  }

 private:
  float between(int from, int to) const {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, events_[from], events_[to]));
    return ms;
  }

  cudaStream_t stream_ = nullptr;
  cudaEvent_t events_[4] = {};
  ProresSettings settings_;
  void* workspace_ = nullptr;
  void* packet_ = nullptr;
  std::size_t capacity_ = 0;
  std::uint32_t* packet_bytes_ = nullptr;
};

int run(const std::string& folder) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0));
  std::printf("%s, %d multiprocessors; %dx%d, medians of %d\n",
              properties.name,
              properties.multiProcessorCount,
              kWidth,
              kHeight,
              kRounds * kPictures);
  Bench bench;
  bool all_same = true;
  for (const double grain : {0.0, 2.0, 6.0, 12.0, 40.0}) {
    all_same = bench.run(grain, folder) && all_same;
    std::fflush(stdout);
  }
  return all_same ? 0 : 1;
}

}  // namespace
}  // namespace vsr::kernels

int main(int count, char** arguments) { return vsr::kernels::run(count > 1 ? arguments[1] : ""); }
