// Golden data: what a network computes for a known input, step by step, as an HDF5 file of fp32
// arrays. docs: ../shared/golden/README.md of the project; every array may be subsampled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vsr::store {

struct GoldenArray {
  std::vector<std::int64_t> shape;       // as stored
  std::vector<float> values;             // row-major
  std::int64_t stride = 1;               // every stride-th row and column of the whole was kept
  std::vector<std::int64_t> full_shape;  // of the whole
};

struct GoldenFile {
  std::map<std::string, GoldenArray> arrays;  // by path: "lq", "deform/input"
  std::vector<std::string> weights;           // checkpoints that give these values
};

// Throws Error(kModel): no such file, not HDF5, arrays of another type than float32, a size that
// the file cannot hold.
GoldenFile read_golden(const std::filesystem::path& path);
// The same of a file's content in memory; `name` stands for it in errors.
GoldenFile read_golden(std::span<const std::byte> content, const std::string& name);

}  // namespace vsr::store
