// An experiment, no part of the program: convolutions in e4m3 beside those in fp16, on Hopper.
// Checks the kernels of e4m3_rows.hpp against plain sums, then times them and the program's own
// rows convolutions in turns: alone, and in the order in which a frame of c64n7 at 1024x432 takes
// them.
//   e4m3_rows_bench
#include "e4m3_rows.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/kernels/conv_rows.hpp"

#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

namespace {

using namespace vsr;
using namespace vsr::kernels;
using namespace vsr::kernels::e4m3;

using Byte = std::uint8_t;

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kGpu, format("{}: {}", what, cudaGetErrorString(status)));
}

std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

float value_of(Byte bits) { return __half2float(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3))); }

Byte bits_of(float value) { return __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3); }

// In -1..1.
float uniform() {
  static std::uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
}

// As many values as asked for, those given again and again. Never freed: the program ends soon.
template <typename T>
T* to_device(const std::vector<T>& values, std::size_t count) {
  T* made = nullptr;
  check(cudaMalloc(reinterpret_cast<void**>(&made), count * sizeof(T)), "memory");
  for (std::size_t at = 0; at < count; at += values.size()) {
    check(cudaMemcpy(made + at,
                     values.data(),
                     std::min(values.size(), count - at) * sizeof(T),
                     cudaMemcpyHostToDevice),
          "copy");
  }
  return made;
}

template <typename T>
T* to_device(const std::vector<T>& values) {
  return to_device(values, values.size());
}

template <typename T>
std::vector<T> to_host(const T* values, std::size_t count) {
  std::vector<T> made(count);
  check(cudaMemcpy(made.data(), values, count * sizeof(T), cudaMemcpyDeviceToHost), "copy");
  return made;
}

// ---- Checks ----------------------------------------------------------------------------------

struct Case {
  Ending ending;
  int sources;
  int outputs;
  int height;
  int width;
  bool shuffle = false;
  bool upwards = false;
  float slope = 1;
};

// weights: (outputs, sources, 64 bytes of a pixel, 3, 3); operand A of wgmma.m64nNk32.
std::vector<Byte> pack(const std::vector<Byte>& weights, int outputs, int sources) {
  std::vector<Byte> packed;
  for (int block = 0; block < outputs / 64; ++block) {
    for (int at = 0; at < kSteps * sources; ++at) {
      const int source = at / kSteps;
      const int step = at % kSteps;
      for (int thread = 0; thread < 128; ++thread) {
        const int lane = thread % 32;
        for (int i = 0; i < 16; ++i) {
          const int row = block * 64 + thread / 32 * 16 + lane / 4 + i / 4 % 2 * 8;
          const int byte = step % 2 * 32 + lane % 4 * 4 + i % 4 + i / 8 * 16;
          packed.push_back(weights[to_size(((row * sources + source) * 64 + byte) * 9 +
                                           step / 6 * 3 + step / 2 % 3)]);
        }
      }
    }
  }
  return packed;
}

// Whether all outputs are within what rounding and the tensor cores' short sums allow.
bool is_right(const Case& given) {
  constexpr float kSmallScale = 3;
  const auto& [ending, sources, outputs, height, width, shuffle, upwards, slope] = given;
  const bool adds = (ending & kAddHalves) != 0;
  const bool writes_halves = (ending & kWriteHalves) != 0;
  const bool writes_small = (ending & kWriteSmall) != 0;
  const std::size_t pixels = to_size(height) * to_size(width);
  const std::size_t made = pixels * to_size(outputs);
  const auto filled = [](auto values, auto make) {
    for (auto& value : values) value = make();
    return values;
  };
  const auto source = filled(std::vector<Byte>(pixels * 64 * to_size(sources)),
                             [] { return bits_of(4 * uniform()); });
  const auto weights = filled(std::vector<Byte>(to_size(outputs * sources * 64 * 9)),
                              [] { return bits_of(4 * uniform()); });
  const auto scale =
      filled(std::vector<float>(to_size(outputs)), [] { return 0.01f * (1.5f + uniform()); });
  const auto bias = filled(std::vector<float>(to_size(outputs)), [] { return uniform(); });
  const auto trunk = filled(std::vector<__half>(made), [] { return __float2half(4 * uniform()); });

  Call call{.ending = ending,
            .outputs = outputs,
            .height = height,
            .width = width,
            .weights = to_device(pack(weights, outputs, sources)),
            .scale = to_device(scale),
            .bias = to_device(bias),
            .small_scale = kSmallScale,
            .slope = slope,
            .shuffle = shuffle,
            .upwards = upwards};
  const Byte* const maps = to_device(source);
  for (int s = 0; s < sources; ++s) call.sources[s] = maps + to_size(s) * pixels * 64;
  Byte* const small = to_device(std::vector<Byte>(made, 0x7f));
  __half* const halves = to_device(trunk);
  call.small = small;
  call.halves = halves;
  launch(call);
  check(cudaDeviceSynchronize(), "a convolution");
  const std::vector<Byte> got_small = to_host(small, made);
  const std::vector<__half> got_halves = to_host(halves, made);

  std::vector<float> source_values;
  for (const Byte bits : source) source_values.push_back(value_of(bits));
  std::vector<float> weight_values;
  for (const Byte bits : weights) weight_values.push_back(value_of(bits));
  int byte_of[64];
  for (int i = 0; i < 64; ++i) byte_of[channel_at(i)] = i;

  double worst = 0;  // of what is allowed
  for (int at = 0; at < static_cast<int>(made); ++at) {
    const int output = at % outputs;
    const int x = at / outputs % width;
    const int y = at / outputs / width;
    double sum = 0;
    double terms = 0;
    for (int s = 0; s < sources; ++s) {
      for (int tap = 0; tap < 9; ++tap) {
        const int from_y = y + tap / 3 - 1;
        const int from_x = x + tap % 3 - 1;
        if (from_y < 0 || from_x < 0 || from_y >= height || from_x >= width) continue;
        const float* const from =
            &source_values[(to_size(s) * pixels + to_size(from_y * width + from_x)) * 64];
        const float* const by = &weight_values[to_size((output * sources + s) * 64 * 9 + tap)];
        for (int k = 0; k < 64; ++k) {
          sum += static_cast<double>(from[k] * by[9 * k]);
          terms += std::abs(static_cast<double>(from[k] * by[9 * k]));
        }
      }
    }
    const auto factor = static_cast<double>(scale[to_size(output)]);
    const double allowed = terms * factor / 2048;
    double value = sum * factor + static_cast<double>(bias[to_size(output)]);
    if (adds) value += static_cast<double>(__half2float(trunk[to_size(at)]));
    const auto judge = [&](double got, double limit) {
      const double error = std::abs(got - value) / limit;
      worst = std::max(worst, std::isnan(error) ? 1e9 : error);
    };
    if (writes_halves) {
      judge(static_cast<double>(__half2float(got_halves[to_size(at)])),
            allowed + std::abs(value) / 2048);
    }
    if (!writes_small) continue;
    const double more = adds || writes_halves ? static_cast<double>(kSmallScale) : 1;
    value *= more;
    if (!writes_halves) value = std::max(value, value * static_cast<double>(slope));
    std::size_t place = to_size(at - output % 64 + byte_of[output % 64]);
    if (shuffle) {
      const int to_x = 2 * x + output / 64 % 2;
      const int to_y = 2 * y + output / 64 / 2;
      place = to_size((to_y * 2 * width + to_x) * 64 + byte_of[output % 64]);
    }
    // Half a step of e4m3, or half its smallest value.
    judge(static_cast<double>(value_of(got_small[place])),
          more * allowed + std::max(std::abs(value) / 16, 0.001));
  }
  std::printf("%d source(s), %d outputs, %dx%d, ending %u: worst %.2f of what is allowed\n",
              sources,
              outputs,
              width,
              height,
              static_cast<unsigned>(ending),
              worst);
  return worst <= 1;
}

bool all_right() {
  bool right = true;
  for (const bool upwards : {false, true}) {
    for (const int sources : {1, 2}) {
      right &= is_right({kSmall, sources, 64, 9, 200, false, upwards, 0.0f});
      right &= is_right({kResidual, sources, 64, 33, 130, false, upwards});
      right &= is_right({kTrunk, sources, 64, 20, 190, false, upwards});
      right &= is_right({kFirst, sources, 64, 33, 130, false, upwards});
      right &= is_right({kLastPass, sources, 64, 33, 130, false, upwards, 0.1f});
    }
  }
  right &= is_right({kSmall, 1, 256, 13, 257, true, false, 0.1f});
  right &= is_right({kSmall, 1, 192, 67, 40});
  right &= is_right({kHalves, 1, 192, 67, 40});
  return right;
}

// ---- Times -----------------------------------------------------------------------------------

float median_ms(const std::function<void()>& work) {
  std::vector<float> times;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  for (int round = -3; round < 20; ++round) {
    cudaEventRecord(begin, nullptr);
    work();
    cudaEventRecord(end, nullptr);
    check(cudaEventSynchronize(end), "a convolution");
    float ms = 0;
    cudaEventElapsedTime(&ms, begin, end);
    if (round >= 0) times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

constexpr int kHeight = 432;
constexpr int kWidth = 1024;

// The same convolution in both, on random values; maps are as large as the largest of them.
class Both {
 public:
  struct Size {
    int outputs = 64;
    int height = kHeight;
    int width = kWidth;
    bool shuffle = false;
    bool upwards = false;
    bool back = false;  // from the map that others write to the one they read
  };

  Both() {
    std::vector<__half> halves(1 << 22);
    for (__half& value : halves) value = __float2half(uniform());
    std::vector<Byte> small(1 << 22);
    for (Byte& bits : small) bits = bits_of(uniform());
    constexpr std::size_t kMost = std::size_t{16} * kHeight * kWidth * 64;
    for (int i = 0; i < 2; ++i) {
      halves_[i] = to_device(halves, kMost);
      small_[i] = to_device(small, kMost);
    }
    std::vector<__half> light(1 << 18);
    for (__half& value : light) value = __float2half(0.02f * uniform());
    weights_ = to_device(light, std::size_t{1} << 20);
    small_weights_ = to_device(small, std::size_t{1} << 20);
    scale_ = to_device(std::vector<float>(512, 0.02f));
    bias_ = to_device(std::vector<float>(512, 0.01f));
  }

  void halves(const Size& size, bool residual = false) const {
    const int from = size.back ? 1 : 0;
    RowsConvCall call{.weights = weights_,
                      .bias = bias_,
                      .outputs = size.outputs,
                      .height = size.height,
                      .width = size.width,
                      .source = halves_[from],
                      .source_channels = 64,
                      .slope = residual ? 1.0f : 0.1f,
                      .upwards = size.upwards,
                      .out = halves_[1 - from],
                      .out_channels = size.shuffle ? size.outputs / 4 : size.outputs,
                      .shuffle = size.shuffle};
    call.residuals[0] = residual ? halves_[1 - from] : nullptr;
    launch_rows_conv(call, ElementType::kHalf, {.device = 0});
  }

  void small(const Size& size, Ending ending, bool two_sources = false) const {
    const int from = size.back ? 1 : 0;
    launch({.ending = ending,
            .outputs = size.outputs,
            .height = size.height,
            .width = size.width,
            .sources = {small_[from],
                        two_sources ? small_[from] + std::size_t{64} * kHeight * kWidth : nullptr},
            .weights = small_weights_,
            .scale = scale_,
            .bias = bias_,
            .slope = 0.1f,
            .small = small_[1 - from],
            .halves = halves_[1 - from],
            .shuffle = size.shuffle,
            .upwards = size.upwards});
  }

  // The convolution of several sources, with leaky relu: in e4m3 two a pass.
  void sources_halves(int count) const {
    for (int i = 0; i < count; ++i) halves({}, i > 0);
  }

  void sources_small(int count, Ending last) const {
    for (int i = 0; i < count; i += 2) {
      const bool is_last = i + 2 >= count;
      const Ending ending = i == 0 ? is_last ? kFirst : kHalves : is_last ? last : kResidual;
      small({}, ending, i + 1 < count);
    }
  }

  // Residual blocks, whose second half goes upwards for the cache.
  void blocks_halves(int count) const {
    for (int i = 0; i < count; ++i) {
      halves({});
      halves({.upwards = true, .back = true}, true);
    }
  }

  void blocks_small(int count) const {
    for (int i = 0; i < count; ++i) {
      small({}, kSmall);
      small({.upwards = true, .back = true}, kTrunk);
    }
  }

 private:
  __half* halves_[2] = {};
  Byte* small_[2] = {};
  const void* weights_ = nullptr;
  const void* small_weights_ = nullptr;
  const float* scale_ = nullptr;
  const float* bias_ = nullptr;
};

struct Part {
  const char* name;
  int convolutions;  // of 64->64 at 1024x432 that it is as much work as
  std::function<void()> halves;
  std::function<void()> small;
};

void print(const Part& part) {
  const float halves = median_ms(part.halves);
  const float small = median_ms(part.small);
  const double gflop = 2e-9 * 9 * 64 * 64 * kHeight * kWidth * part.convolutions;
  std::printf("%-32s fp16 %7.4f ms %5.0f TFLOP/s   e4m3 %7.4f ms %5.0f TFLOP/s   %.2f times\n",
              part.name,
              static_cast<double>(halves),
              gflop / static_cast<double>(halves),
              static_cast<double>(small),
              gflop / static_cast<double>(small),
              static_cast<double>(halves / small));
}

void time_all() {
  const Both both;
  const Both::Size large{.height = 4 * kHeight, .width = 4 * kWidth};
  const Both::Size up1{.outputs = 256, .shuffle = true};
  const Both::Size up2{
      .outputs = 256, .height = 2 * kHeight, .width = 2 * kWidth, .shuffle = true, .back = true};
  const Part alone[] = {
      {"64->64", 1, [&] { both.halves({}); }, [&] { both.small({}, kSmall); }},
      {"64->64, no e4m3 out", 1, [&] { both.halves({}); }, [&] { both.small({}, kHalves); }},
      {"64->64 + trunk", 1, [&] { both.halves({}, true); }, [&] { both.small({}, kTrunk); }},
      {"64->256 at 2048x864", 16, [&] { both.halves(up2); }, [&] { both.small(up2, kSmall); }},
      {"64->64 at 4096x1728", 16, [&] { both.halves(large); }, [&] { both.small(large, kSmall); }}};
  for (const Part& part : alone) print(part);

  const auto each_branch = [](const std::function<void(int)>& work) {
    return [work] {
      for (int branch = 0; branch < 4; ++branch) work(branch);
    };
  };
  const Part frame[] = {
      {"features' blocks", 10, [&] { both.blocks_halves(5); }, [&] { both.blocks_small(5); }},
      {"backbones",
       14 + 56,
       each_branch([&](int branch) {
         both.sources_halves(branch + 2);
         both.blocks_halves(7);
       }),
       each_branch([&](int branch) {
         both.sources_small(branch + 2, kTrunk);
         both.blocks_small(7);
       })},
      {"condition, less its flows",
       20,
       each_branch([&](int) {
         both.sources_halves(3);
         for (int i = 0; i < 2; ++i) both.halves({});
       }),
       each_branch([&](int) {
         both.sources_small(3, kLastPass);
         for (int i = 0; i < 2; ++i) both.small({}, kSmall);
       })},
      {"heads", 27, each_branch([&](int) { both.halves({.outputs = 432}); }), each_branch([&](int) {
         both.small({.outputs = 448}, kSmall);
       })},
      {"reconstruction",
       15,
       [&] {
         both.sources_halves(5);
         both.blocks_halves(5);
       },
       [&] {
         both.sources_small(5, kTrunk);
         both.blocks_small(5);
       }},
      {"upsampling",
       20,
       [&] {
         both.halves(up1);
         both.halves(up2);
       },
       [&] {
         both.small(up1, kSmall);
         both.small(up2, kSmall);
       }}};
  Part all{"all of a frame's", 0, {}, {}};
  for (const Part& part : frame) {
    print(part);
    all.convolutions += part.convolutions;
  }
  all.halves = [&] {
    for (const Part& part : frame) part.halves();
  };
  all.small = [&] {
    for (const Part& part : frame) part.small();
  };
  print(all);
}

}  // namespace

int main() {
  try {
    if (!has_rows_conv(0)) {
      std::fprintf(stderr, "e4m3_rows_bench: needs a GPU of compute capability 9.0\n");
      return 1;
    }
    if (!all_right()) return 1;
    time_all();
  } catch (const Error& error) {
    std::fprintf(stderr, "e4m3_rows_bench: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
