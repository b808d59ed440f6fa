#include "cuda/prores_slice.cuh"
#include "cuda/start_kernel.cuh"
#include "cuda/warp.cuh"

namespace vsr::kernels {

// Note [ProRes on the device]
// Three kernels. The first, a block a slice, transforms the slice, keeps its values in the
// workspace and counts its bytes at one quantiser after another, Note [Offers]. The second, one
// block, chooses the quantisers of all slices, and by a prefix sum of their sizes each one's place
// in the packet; it writes headers and the slice table. The third, a block a slice again, codes the
// values at the chosen quantiser straight into the packet.

namespace prores {

namespace {

constexpr int kPlanThreads = 1024;

struct Job {
  ProresPicture picture;
  bool whole_loads;  // every eight samples of a row are 16 aligned bytes
  Layout layout;
  Header header;
  std::int16_t* values;    // [slices][kSliceValues]
  std::uint32_t* sizes;    // [kQuantisers][slices], bytes; of one not tried, that of the last tried
  std::uint32_t* tried;    // [slices], a bit for each quantiser
  std::uint8_t* chosen;    // [slices], index of the quantiser to use
  std::uint32_t* offsets;  // [slices], bytes after the slice table
  std::uint8_t* packet;
  std::uint32_t* packet_bytes;
};

// One dimension of the transform, Note [Transform]: sums of products without rounding, so that the
// order of the sums does not matter.
__device__ inline void transform_eight(const int (&in)[8], int (&out)[8]) {
  constexpr int c1 = kCosines[1], c2 = kCosines[2], c3 = kCosines[3], c4 = kCosines[4],
                c5 = kCosines[5], c6 = kCosines[6], c7 = kCosines[7];
  const int s0 = in[0] + in[7], s1 = in[1] + in[6], s2 = in[2] + in[5], s3 = in[3] + in[4];
  const int d0 = in[0] - in[7], d1 = in[1] - in[6], d2 = in[2] - in[5], d3 = in[3] - in[4];
  out[0] = c4 * (s0 + s3 + s1 + s2);
  out[4] = c4 * (s0 + s3 - s1 - s2);
  out[2] = c2 * (s0 - s3) + c6 * (s1 - s2);
  out[6] = c6 * (s0 - s3) - c2 * (s1 - s2);
  out[1] = c1 * d0 + c3 * d1 + c5 * d2 + c7 * d3;
  out[3] = c3 * d0 - c7 * d1 - c1 * d2 - c5 * d3;
  out[5] = c5 * d0 - c1 * d1 + c7 * d2 + c3 * d3;
  out[7] = c7 * d0 - c5 * d1 + c3 * d2 - c1 * d3;
}

// Eight samples less 512 from (x, y) on; beyond the picture those of its edge.
__device__ inline void load_eight(const Job& job, int plane, int x, int y, int (&samples)[8]) {
  const int width = plane == 0 ? job.layout.width : job.layout.width / 2;
  const int row = y < job.layout.height ? y : job.layout.height - 1;
  const auto* from = reinterpret_cast<const std::uint16_t*>(
      reinterpret_cast<const char*>(job.picture.planes[plane]) +
      row * job.picture.pitch_bytes[plane]);
  if (job.whole_loads && x + 8 <= width) {
    const uint4 eight = *reinterpret_cast<const uint4*>(from + x);
    const std::uint32_t pairs[4] = {eight.x, eight.y, eight.z, eight.w};
    for (int i = 0; i < 4; ++i) {
      samples[2 * i] = static_cast<int>(pairs[i] & 0xFFFF);
      samples[2 * i + 1] = static_cast<int>(pairs[i] >> 16);
    }
  } else {
    for (int i = 0; i < 8; ++i) samples[i] = from[x + i < width ? x + i : width - 1];
  }
  for (int& sample : samples) sample = (sample < 1023 ? sample : 1023) - 512;
}

// `block`: 0 to 31 for luma, then 16 each.
__device__ inline void transform_row(
    const Job& job, SliceMemory& memory, int plane, int x, int y, int block, int row) {
  int samples[8];
  int sums[8];
  load_eight(job, plane, x, y, samples);
  transform_eight(samples, sums);
  std::uint32_t* const to = memory.blocks + block * kBlockWords + row * 4;
  for (int i = 0; i < 4; ++i) {
    const int low = (sums[2 * i] + (1 << (kRowShift - 1))) >> kRowShift;
    const int high = (sums[2 * i + 1] + (1 << (kRowShift - 1))) >> kRowShift;
    to[i] = (static_cast<std::uint32_t>(low) & 0xFFFF) | static_cast<std::uint32_t>(high) << 16;
  }
}

// Column `u` of a block to the places of its values: `to` is the plane's first value of the block.
__device__ inline void transform_column(
    const SliceMemory& memory, int block, int u, std::int16_t* to, int log_blocks) {
  const std::uint32_t* const from = memory.blocks + block * kBlockWords + u / 2;
  int samples[8];
  int sums[8];
  for (int y = 0; y < 8; ++y) {
    samples[y] = static_cast<std::int16_t>(from[y * 4] >> (u % 2 * 16) & 0xFFFF);
  }
  transform_eight(samples, sums);
  for (int v = 0; v < 8; ++v) {
    to[kDeviceTables.place[v * 8 + u] << log_blocks] =
        static_cast<std::int16_t>((sums[v] + (1 << (kColumnShift - 1))) >> kColumnShift);
  }
}

// Leaves the slice's values in memory.values; they are seen after a barrier.
__device__ inline void transform_slice(const Job& job,
                                       const SlicePlace& place,
                                       SliceMemory& memory,
                                       int thread) {
  const int macroblocks = 1 << place.log_macroblocks;
  {
    const int row = thread / 16;
    const int eight = thread % 16;  // of the slice's 128 samples
    if (eight < 2 * macroblocks) {
      transform_row(job,
                    memory,
                    0,
                    place.column * 16 + eight * 8,
                    place.row * 16 + row,
                    eight / 2 * 4 + row / 8 * 2 + eight % 2,
                    row % 8);
    }
  }
  {
    const int plane = thread / 128;
    const int row = thread % 128 / 8;
    const int eight = thread % 8;
    if (eight < macroblocks) {
      transform_row(job,
                    memory,
                    1 + plane,
                    place.column * 8 + eight * 8,
                    place.row * 16 + row,
                    32 + plane * 16 + eight * 2 + row / 8,
                    row % 8);
    }
  }
  __syncthreads();
  const int u = thread / 32;
  const int block = thread % 32;
  if (block < 4 * macroblocks) {
    transform_column(memory, block, u, memory.values + block, place.log_macroblocks + 2);
  }
  const int plane = block / 16;
  if (block % 16 < 2 * macroblocks) {
    transform_column(memory,
                     32 + block,
                     u,
                     memory.values + (2 + plane) * 128 * macroblocks + block % 16,
                     place.log_macroblocks + 1);
  }
}

// Grid: slices.
__global__ void __launch_bounds__(kSliceThreads) prores_offer_kernel(const Job job) {
  auto& memory = *reinterpret_cast<SliceMemory*>(shared_memory());
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int slice = static_cast<int>(blockIdx.x);
  const SlicePlace place = place_of(slice, job.layout);
  const Share share = share_of(warp, place.log_macroblocks);

  unpack_books(memory.books, thread);
  transform_slice(job, place, memory, thread);
  __syncthreads();
  auto* const kept =
      reinterpret_cast<uint4*>(job.values + static_cast<std::int64_t>(slice) * kSliceValues);
  for (int i = thread; i < kMacroblockValues / 8 << place.log_macroblocks; i += kSliceThreads) {
    kept[i] = reinterpret_cast<const uint4*>(memory.values)[i];
  }

  const auto share_bits =
      static_cast<std::uint32_t>(job.layout.bits_per_macroblock << place.log_macroblocks);
  std::uint32_t tried = 0;
  for (int index = 0, step = 0;; index += step) {
    index = index < kQuantisers ? index : kQuantisers - 1;
    set_reciprocals(memory, kDeviceTables.quantisers[index], thread);
    __syncthreads();
    if (index == 0) {
      list_entries(memory, share, warp, lane);
    } else {
      thin_entries(memory, share, warp, lane);
    }
    __syncthreads();
    const PlaneBytes planes = count_bytes(memory, share, warp, lane);
    const std::uint32_t bytes =
        kSliceHeaderBytes + planes.planes[0] + planes.planes[1] + planes.planes[2];
    tried |= 1u << index;
    // Those after it too; the next ones tried replace them.
    if (warp == 0 && lane >= index && lane < kQuantisers) {
      job.sizes[lane * job.layout.slices + slice] = bytes > kMostSliceBytes ? kNeverBytes : bytes;
    }
    const std::uint32_t twice_bits = bytes * 16;
    if (twice_bits <= share_bits || index == kQuantisers - 1) break;
    step = twice_bits > kThirdHalves * share_bits
               ? 3
               : (twice_bits > kSecondHalves * share_bits ? 2 : 1);
  }
  if (thread == 0) job.tried[slice] = tried;
}

// The sum of `mine` over the threads before this one, and over all.
struct BlockSum {
  std::uint64_t before;
  std::uint64_t all;
};

// `sums`: 32 of shared memory.
__device__ inline BlockSum sum_of_block(std::uint64_t mine, std::uint64_t* sums, int thread) {
  const int lane = thread % 32;
  const std::uint64_t up_to = sum_up_to_lane(mine, lane);
  __syncthreads();  // the last sums have been read
  if (lane == 31) sums[thread / 32] = up_to;
  __syncthreads();
  const std::uint64_t warps = sum_up_to_lane(sums[lane], lane);
  const int warp = thread / 32;
  const std::uint64_t warps_before = from_lane(warps, warp > 0 ? warp - 1 : 0);
  return {up_to - mine + (warp > 0 ? warps_before : 0), from_lane(warps, 31)};
}

// One block.
__global__ void __launch_bounds__(kPlanThreads) prores_plan_kernel(const Job job) {
  auto* const sums = reinterpret_cast<std::uint64_t*>(shared_memory());
  const int thread = static_cast<int>(threadIdx.x);
  const int slices = job.layout.slices;
  const std::uint64_t budget = job.layout.budget_bytes;

  int index = 0;
  std::uint64_t total = 0;
  for (;; ++index) {
    std::uint64_t mine = 0;
    for (int s = thread; s < slices; s += kPlanThreads) mine += job.sizes[index * slices + s];
    total = sum_of_block(mine, sums, thread).all;
    if (total <= budget || index == kQuantisers - 1) break;
  }

  // This thread's stretch, of the order that spreads first, then of the packet.
  const int each = (slices + kPlanThreads - 1) / kPlanThreads;
  const int begin = thread * each < slices ? thread * each : slices;
  const int end = begin + each < slices ? begin + each : slices;
  const auto spread = [&](int i) {
    return static_cast<int>(static_cast<std::uint32_t>(i) *
                            static_cast<std::uint32_t>(job.layout.stride) %
                            static_cast<std::uint32_t>(slices));
  };
  const auto gain = [&](int s) -> std::uint64_t {
    if (index == 0) return 0;
    const std::uint32_t finer = job.sizes[(index - 1) * slices + s];
    const std::uint32_t coarser = job.sizes[index * slices + s];
    return finer > coarser ? finer - coarser : 0;
  };
  std::uint64_t gains = 0;
  for (int i = begin; i < end; ++i) gains += gain(spread(i));
  std::uint64_t used = total + sum_of_block(gains, sums, thread).before;
  for (int i = begin; i < end; ++i) {
    const int s = spread(i);
    used += gain(s);
    const int wanted = index > 0 && used <= budget ? index - 1 : index;
    job.chosen[s] = static_cast<std::uint8_t>(highest_bit(job.tried[s] & ((2u << wanted) - 1)));
  }
  __syncthreads();

  std::uint64_t bytes = 0;
  for (int s = begin; s < end; ++s) bytes += job.sizes[job.chosen[s] * slices + s];
  const BlockSum place = sum_of_block(bytes, sums, thread);
  auto at = static_cast<std::uint32_t>(place.before);
  std::uint8_t* const table = job.packet + kHeaderBytes;
  for (int s = begin; s < end; ++s) {
    const std::uint32_t size = job.sizes[job.chosen[s] * slices + s];
    job.offsets[s] = at;
    table[2 * s] = static_cast<std::uint8_t>(size >> 8);
    table[2 * s + 1] = static_cast<std::uint8_t>(size);
    at += size;
  }

  const auto packet_bytes =
      static_cast<std::uint32_t>(kHeaderBytes + 2 * static_cast<std::uint64_t>(slices) + place.all);
  if (thread < kHeaderBytes) {
    std::uint32_t byte = job.header.bytes[thread];
    const int in_picture = thread - kFrameHeaderBytes - 1;
    if (thread < 4) byte = packet_bytes >> (24 - 8 * thread);
    if (in_picture >= 0 && in_picture < 4) {
      byte = (packet_bytes - kFrameHeaderBytes) >> (24 - 8 * in_picture);
    }
    job.packet[thread] = static_cast<std::uint8_t>(byte);
  }
  if (thread == 0) *job.packet_bytes = packet_bytes;
}

// Grid: slices.
__global__ void __launch_bounds__(kSliceThreads) prores_write_kernel(const Job job) {
  auto& write_memory = *reinterpret_cast<WriteMemory*>(shared_memory());
  SliceMemory& memory = write_memory.slice;
  std::uint32_t* const words = write_memory.words;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int slice = static_cast<int>(blockIdx.x);
  const SlicePlace place = place_of(slice, job.layout);
  const Share share = share_of(warp, place.log_macroblocks);
  const int index = job.chosen[slice];
  const auto bytes = static_cast<int>(job.sizes[index * job.layout.slices + slice]);

  unpack_books(memory.books, thread);
  set_reciprocals(memory, kDeviceTables.quantisers[index], thread);
  const auto* const kept =
      reinterpret_cast<const uint4*>(job.values + static_cast<std::int64_t>(slice) * kSliceValues);
  for (int i = thread; i < kMacroblockValues / 8 << place.log_macroblocks; i += kSliceThreads) {
    reinterpret_cast<uint4*>(memory.values)[i] = kept[i];
  }
  for (int i = thread; i < (bytes + 3) / 4; i += kSliceThreads) words[i] = 0;
  __syncthreads();
  list_entries(memory, share, warp, lane);
  __syncthreads();
  const PlaneBytes planes = count_bytes(memory, share, warp, lane);
  if (thread == 0) {
    const std::uint64_t header = static_cast<std::uint64_t>(kSliceHeaderBytes << 3 << 8 |
                                                            kDeviceTables.quantiser_codes[index])
                                     << 32 |
                                 planes.planes[0] << 16 | planes.planes[1];
    set_code(words, 0, header, 8 * kSliceHeaderBytes);
  }
  std::uint32_t at = 8 * kSliceHeaderBytes;
  if (share.plane > 0) at += 8 * planes.planes[0];
  if (share.plane > 1) at += 8 * planes.planes[1];
  for (int w = share.plane_warp; w < warp; ++w) at += memory.warp_bits[w];
  code_share<true>(memory, share, warp, lane, words, static_cast<int>(at));
  __syncthreads();

  std::uint8_t* const to = job.packet + kHeaderBytes + 2 * job.layout.slices + job.offsets[slice];
  for (int i = thread; i < bytes; i += kSliceThreads) {
    to[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - i % 4 * 8));
  }
}

bool is_whole(const void* pointer, std::ptrdiff_t pitch_bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0 && pitch_bytes % 16 == 0;
}

Job job_of(const ProresSettings& settings,
           const ProresPicture& picture,
           void* workspace,
           std::byte* packet,
           std::uint32_t* packet_bytes) {
  Job job{};
  job.picture = picture;
  job.whole_loads = true;
  for (int p = 0; p < 3; ++p) {
    job.whole_loads = job.whole_loads && is_whole(picture.planes[p], picture.pitch_bytes[p]);
  }
  job.layout = layout_of(settings);
  job.header = header_of(settings, job.layout);
  const Workspace parts = workspace_of(job.layout);
  auto* const memory = static_cast<std::uint8_t*>(workspace);
  job.values = reinterpret_cast<std::int16_t*>(memory + parts.values);
  job.sizes = reinterpret_cast<std::uint32_t*>(memory + parts.sizes);
  job.offsets = reinterpret_cast<std::uint32_t*>(memory + parts.offsets);
  job.tried = reinterpret_cast<std::uint32_t*>(memory + parts.tried);
  job.chosen = memory + parts.chosen;
  job.packet = reinterpret_cast<std::uint8_t*>(packet);
  job.packet_bytes = packet_bytes;
  return job;
}

dim3 slice_grid(const Job& job) { return dim3(static_cast<unsigned>(job.layout.slices)); }

void start_offer(const Job& job, gpu::StreamView stream) {
  start_kernel("the transform of ProRes",
               prores_offer_kernel,
               slice_grid(job),
               kSliceThreads,
               sizeof(SliceMemory),
               stream,
               job);
}

void start_plan(const Job& job, gpu::StreamView stream) {
  constexpr std::size_t kSumsBytes = 32 * sizeof(std::uint64_t);
  start_kernel(
      "the plan of ProRes", prores_plan_kernel, dim3(1), kPlanThreads, kSumsBytes, stream, job);
}

void start_write(const Job& job, gpu::StreamView stream) {
  start_kernel("the coding of ProRes",
               prores_write_kernel,
               slice_grid(job),
               kSliceThreads,
               sizeof(WriteMemory),
               stream,
               job);
}

}  // namespace

}  // namespace prores

void launch_prores_encode(const ProresSettings& settings,
                          const ProresPicture& picture,
                          void* workspace,
                          std::byte* packet,
                          std::uint32_t* packet_bytes,
                          gpu::StreamView stream) {
  check_prores(settings);
  const prores::Job job = prores::job_of(settings, picture, workspace, packet, packet_bytes);
  prores::start_offer(job, stream);
  prores::start_plan(job, stream);
  prores::start_write(job, stream);
}

}  // namespace vsr::kernels
