#include "vsr/store/golden_file.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace vsr::store {

namespace {

// Deflate packs at most 1032 to 1; a dataset that announces more than that holds nothing.
constexpr std::uint64_t kMostDeflation = 1032;
constexpr int kMostDimensions = 8;
constexpr int kMostNesting = 4;

// Closes an HDF5 identifier.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}

  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  hid_t id() const { return id_; }

  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5 prints its errors by itself unless told not to.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }

  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

hid_t open_content(std::span<const std::byte> content, const std::string& name) {
  constexpr std::size_t kGrowBy = 1 << 16;  // of a file that is written; none is here
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access.id(), kGrowBy, 0);
  std::vector<std::byte> image(content.begin(), content.end());  // HDF5 wants it not const
  H5Pset_file_image(access.id(), image.data(), image.size());
  return H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.id());
}

class GoldenReader {
 public:
  explicit GoldenReader(const std::filesystem::path& path)
      : path_(path.string()), file_(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose) {
    if (!file_.valid()) {
      fail(std::filesystem::exists(path) ? "not an HDF5 file" : "no such file");
    }
  }

  GoldenReader(std::span<const std::byte> content, const std::string& name)
      : path_(name), file_(open_content(content, name), H5Fclose) {
    if (!file_.valid()) fail("not an HDF5 file");
  }

  GoldenFile read() {
    GoldenFile golden;
    golden.weights = weights();
    collect(file_.id(), "", golden);
    return golden;
  }

 private:
  [[noreturn]] void fail(std::string_view why) const {
    throw Error(ErrorCode::kModel, format("golden file {}: {}", path_, why));
  }

  // Everything in `group`, whose path is `prefix`. By index, since the iterators' signatures differ
  // between versions of HDF5.
  void collect(hid_t group, const std::string& prefix, GoldenFile& golden) const {
    if (std::count(prefix.begin(), prefix.end(), '/') > kMostNesting) fail("nested too deeply");
    H5G_info_t info{};
    if (H5Gget_info(group, &info) < 0) fail("its contents cannot be listed");
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      std::array<char, 256> name{};
      const ssize_t length = H5Lget_name_by_idx(
          group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
      if (length <= 0 || static_cast<std::size_t>(length) >= name.size()) {
        fail("a name in it cannot be read");
      }
      const std::string path = prefix + name.data();
      const Handle object(H5Oopen(group, name.data(), H5P_DEFAULT), H5Oclose);
      if (!object.valid()) fail(format("'{}' cannot be opened", path));
      const H5I_type_t type = H5Iget_type(object.id());
      if (type == H5I_GROUP) collect(object.id(), path + "/", golden);
      if (type == H5I_DATASET) golden.arrays.emplace(path, array(object.id(), path));
    }
  }

  GoldenArray array(hid_t dataset, const std::string& name) const {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    if (H5Tget_class(type.id()) != H5T_FLOAT || H5Tget_size(type.id()) != sizeof(float)) {
      fail(format("'{}' is not of float32", name));
    }
    GoldenArray made;
    const Handle space(H5Dget_space(dataset), H5Sclose);
    made.shape = dimensions(space.id(), name);
    std::uint64_t count = 1;
    const std::uint64_t most = H5Dget_storage_size(dataset) * kMostDeflation / sizeof(float);
    bool empty = false;
    for (const std::int64_t size : made.shape) empty = empty || size == 0;
    for (const std::int64_t size : made.shape) {
      if (empty) break;
      const auto factor = static_cast<std::uint64_t>(size);
      if (count > most / factor) fail(format("'{}' announces more than the file holds", name));
      count *= factor;
    }
    if (!empty) {
      made.values.resize(count);
      if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, made.values.data()) <
          0) {
        fail(format("'{}' cannot be read", name));
      }
    }
    const std::vector<std::int64_t> stride = integers(dataset, "stride");
    if (!stride.empty()) made.stride = stride[0];
    made.full_shape = integers(dataset, "full_shape");
    if (made.full_shape.empty()) made.full_shape = made.shape;
    check_subsampling(made, name);
    return made;
  }

  void check_subsampling(const GoldenArray& made, const std::string& name) const {
    const std::size_t rank = made.shape.size();
    bool fits = made.stride >= 1 && made.full_shape.size() == rank;
    for (std::size_t i = 0; fits && i < rank; ++i) {
      const std::int64_t step = i + 2 >= rank ? made.stride : 1;
      fits = made.shape[i] == (made.full_shape[i] + step - 1) / step;
    }
    if (!fits) fail(format("'{}' does not fit its stride and full_shape", name));
  }

  std::vector<std::int64_t> dimensions(hid_t space, const std::string& name) const {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > kMostDimensions) fail(format("'{}' has an unknown shape", name));
    std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
    H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
    return {sizes.begin(), sizes.end()};
  }

  // Of an attribute; empty if there is none.
  std::vector<std::int64_t> integers(hid_t object, const char* name) const {
    if (H5Aexists(object, name) <= 0) return {};
    const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
    const Handle space(H5Aget_space(attribute.id()), H5Sclose);
    const hssize_t count = H5Sget_simple_extent_npoints(space.id());
    if (count < 1 || count > kMostDimensions) fail(format("attribute '{}' is malformed", name));
    std::vector<std::int64_t> values(static_cast<std::size_t>(count));
    if (H5Aread(attribute.id(), H5T_NATIVE_INT64, values.data()) < 0) {
      fail(format("attribute '{}' is not of integers", name));
    }
    return values;
  }

  // The root's attribute, a list separated by commas; empty if there is none.
  std::vector<std::string> weights() const {
    if (H5Aexists(file_.id(), "weights") <= 0) return {};
    const Handle attribute(H5Aopen(file_.id(), "weights", H5P_DEFAULT), H5Aclose);
    const Handle stored(H5Aget_type(attribute.id()), H5Tclose);
    if (H5Tget_class(stored.id()) != H5T_STRING || H5Tis_variable_str(stored.id()) <= 0) {
      fail("attribute 'weights' is no text");
    }
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.id(), H5T_VARIABLE);
    H5Tset_cset(type.id(), H5Tget_cset(stored.id()));
    char* text = nullptr;
    if (H5Aread(attribute.id(), type.id(), &text) < 0 || text == nullptr) {
      fail("attribute 'weights' cannot be read");
    }
    const std::string list(text);
    H5free_memory(text);
    std::vector<std::string> names;
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(',', begin), list.size());
      const std::size_t first = list.find_first_not_of(' ', begin);
      if (first < end) names.push_back(list.substr(first, end - first));
      begin = end + 1;
    }
    return names;
  }

  std::string path_;
  Handle file_;
};

}  // namespace

GoldenFile read_golden(const std::filesystem::path& path) {
  const QuietErrors quiet;
  return GoldenReader(path).read();
}

GoldenFile read_golden(std::span<const std::byte> content, const std::string& name) {
  const QuietErrors quiet;
  return GoldenReader(content, name).read();
}

}  // namespace vsr::store
