#include "h5.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"
#include "vsr/store/run_directory.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <mutex>

namespace vsr::store::h5 {

namespace {

// Note [Sealed files]
// HDF5 leaves a "user block" at a file's head alone. Ours holds one line of text with the SHA-256
// of all that follows, so that damage is found before HDF5 parses it: its parser is not meant for
// hostile bytes. h5dump and h5py read such files as any other.
constexpr std::size_t kSealBytes = 512;
constexpr std::string_view kSealPrefix = "vsr-dist file, sha256 of the bytes from 512 on: ";

std::mutex& hdf5_mutex() {
  static std::mutex mutex;
  return mutex;
}

[[noreturn]] void fail(const std::string& doing) {
  throw Error(ErrorCode::kStorage, format("HDF5 cannot {}", doing));
}

template <typename Result>
Result check(Result result, const std::string& doing) {
  if (result < 0) fail(doing);
  return result;
}

// One closing call for each kind of handle.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& doing) : id_(id), close_(close) {
    if (id < 0) fail(doing);
  }

  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  ~Handle() { close_(id_); }

  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor)

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void silence() {
  // Errors travel as exceptions; HDF5's own printing goes nowhere.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

// HDF5 takes two open files in memory for one and the same if they have one name.
std::string memory_name() {
  static std::int64_t made = 0;  // guarded by hdf5_mutex()
  return format("memory {}", ++made);
}

hid_t memory_access() {
  const hid_t access = check(H5Pcreate(H5P_FILE_ACCESS), "prepare memory");
  H5Pset_fapl_core(access, 1 << 16, 0);
  return access;
}

hid_t string_type() {
  const hid_t type = check(H5Tcopy(H5T_C_S1), "make a string type");
  check(H5Tset_size(type, H5T_VARIABLE), "make a string type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), "make a string type");
  return type;
}

void write_attribute(hid_t file, const std::string& name, hid_t type, const void* value) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, "make a space");
  const Handle attribute(H5Acreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose,
                         "make attribute " + name);
  check(H5Awrite(attribute, type, value), "write attribute " + name);
}

void write_text_attribute(hid_t place, const std::string& name, const std::string& value) {
  const Handle type(string_type(), H5Tclose, "make a string type");
  const char* text = value.c_str();
  write_attribute(place, name, type, &text);
}

// `unit`: an attribute of the dataset; empty: none.
void write_dataset(hid_t file,
                   const std::string& name,
                   hid_t type,
                   const std::vector<hsize_t>& shape,
                   const void* values,
                   hid_t creation = H5P_DEFAULT,
                   const std::string& unit = "") {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose,
                     "make a space");
  const Handle data(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT),
                    H5Dclose,
                    "make dataset " + name);
  hsize_t count = 1;
  for (const hsize_t length : shape) count *= length;
  if (count > 0) {
    check(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "write dataset " + name);
  }
  if (!unit.empty()) write_text_attribute(data, "unit", unit);
}

// Makes the groups that a link's name passes through.
hid_t through_groups() {
  const hid_t made = check(H5Pcreate(H5P_LINK_CREATE), "prepare a link");
  check(H5Pset_create_intermediate_group(made, 1), "prepare a link");
  return made;
}

void write_attribute_of(
    hid_t file, const std::string& object, const std::string& name, hid_t type, const void* value) {
  if (H5Lexists(file, object.c_str(), H5P_DEFAULT) <= 0) {
    const Handle links(through_groups(), H5Pclose, "prepare a link");
    const Handle group(H5Gcreate2(file, object.c_str(), links, H5P_DEFAULT, H5P_DEFAULT),
                       H5Gclose,
                       "make group " + object);
  }
  const Handle opened(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose, "find " + object);
  write_attribute(opened, name, type, value);
}

void write_text_of(hid_t file,
                   const std::string& object,
                   const std::string& name,
                   const std::string& value) {
  const Handle type(string_type(), H5Tclose, "make a string type");
  const char* text = value.c_str();
  write_attribute_of(file, object, name, type, &text);
}

void write_column(
    hid_t file, const Column& column, hid_t type, std::size_t count, const void* values) {
  constexpr hsize_t kRowsOfAChunk = 4096;
  constexpr unsigned kEffort = 4;
  std::vector<hsize_t> shape{count};
  if (column.width > 0) shape = {count / column.width, column.width};
  std::vector<hsize_t> most = shape;
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "prepare a dataset");
  if (column.grows) {
    std::vector<hsize_t> chunk = shape;
    chunk.front() = kRowsOfAChunk;
    most.front() = H5S_UNLIMITED;
    check(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), "prepare chunks");
    check(H5Pset_shuffle(creation), "prepare shuffling");
    check(H5Pset_deflate(creation, kEffort), "prepare compression");
    if (H5Tget_class(type) == H5T_FLOAT) {
      const double none = std::numeric_limits<double>::quiet_NaN();
      check(H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, &none), "prepare a dataset");
    }
  }
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), most.data()),
                     H5Sclose,
                     "make a space");
  {
    const Handle links(through_groups(), H5Pclose, "prepare a link");
    const Handle data(
        H5Dcreate2(file, column.name.c_str(), type, space, links, creation, H5P_DEFAULT),
        H5Dclose,
        "make dataset " + column.name);
    if (count > 0) {
      check(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
            "write dataset " + column.name);
    }
  }
  write_text_of(file, column.name, "unit", column.unit);
  write_text_of(file, column.name, "description", column.description);
}

// Values of a dataset of a numeric type; any shape, in row-major order.
template <typename Value>
std::vector<Value> read_numbers(hid_t file, const std::string& name, hid_t type, H5T_class_t kind) {
  const Handle data(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, "find dataset " + name);
  const Handle stored(H5Dget_type(data), H5Tclose, "read the type of " + name);
  if (H5Tget_class(stored) != kind) fail("read " + name + ": it holds another type");
  const Handle space(H5Dget_space(data), H5Sclose, "read the shape of " + name);
  const hssize_t count = check(H5Sget_simple_extent_npoints(space), "read the shape of " + name);
  std::vector<Value> values(static_cast<std::size_t>(count));
  if (count > 0) {
    check(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read " + name);
  }
  return values;
}

template <typename Value>
Value read_number(hid_t file, const std::string& name, hid_t type) {
  const Handle attribute(
      H5Aopen(file, name.c_str(), H5P_DEFAULT), H5Aclose, "find attribute " + name);
  Value value{};
  check(H5Aread(attribute, type, &value), "read attribute " + name);
  return value;
}

}  // namespace

Writer::Writer() {
  const std::lock_guard lock(hdf5_mutex());
  silence();
  const Handle access(memory_access(), H5Pclose, "prepare memory");
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "prepare a file");
  check(H5Pset_userblock(creation, kSealBytes), "prepare a file");
  file_ = check(H5Fcreate(memory_name().c_str(), H5F_ACC_TRUNC, creation, access), "make a file");
}

Writer::~Writer() {
  const std::lock_guard lock(hdf5_mutex());
  if (file_ >= 0) H5Fclose(file_);
}

void Writer::attribute(const std::string& name, std::int64_t value) {
  const std::lock_guard lock(hdf5_mutex());
  write_attribute(file_, name, H5T_NATIVE_INT64, &value);
}

void Writer::attribute(const std::string& name, double value) {
  const std::lock_guard lock(hdf5_mutex());
  write_attribute(file_, name, H5T_NATIVE_DOUBLE, &value);
}

void Writer::attribute(const std::string& name, const std::string& value) {
  const std::lock_guard lock(hdf5_mutex());
  write_text_attribute(file_, name, value);
}

void Writer::dataset(const std::string& name,
                     const std::vector<std::int64_t>& values,
                     std::size_t columns) {
  const std::lock_guard lock(hdf5_mutex());
  std::vector<hsize_t> shape{values.size() / columns};
  if (columns > 1) shape.push_back(columns);
  write_dataset(file_, name, H5T_NATIVE_INT64, shape, values.data());
}

void Writer::dataset(const std::string& name, const std::vector<std::uint32_t>& values) {
  const std::lock_guard lock(hdf5_mutex());
  write_dataset(file_, name, H5T_NATIVE_UINT32, {values.size()}, values.data());
}

void Writer::dataset(const std::string& name,
                     const std::vector<std::uint16_t>& values,
                     std::size_t columns) {
  const std::lock_guard lock(hdf5_mutex());
  write_dataset(file_, name, H5T_NATIVE_UINT16, {values.size() / columns, columns}, values.data());
}

void Writer::dataset(const std::string& name, const std::vector<double>& values) {
  const std::lock_guard lock(hdf5_mutex());
  write_dataset(file_, name, H5T_NATIVE_DOUBLE, {values.size()}, values.data());
}

void Writer::dataset(const std::string& name, const std::vector<std::string>& values) {
  const std::lock_guard lock(hdf5_mutex());
  const Handle type(string_type(), H5Tclose, "make a string type");
  std::vector<const char*> texts;
  texts.reserve(values.size());
  for (const std::string& value : values) texts.push_back(value.c_str());
  write_dataset(file_, name, type, {values.size()}, texts.data());
}

void Writer::dataset(const std::string& name,
                     const std::vector<float>& values,
                     const std::string& unit) {
  constexpr hsize_t kMostInAChunk = 4096;
  constexpr unsigned kEffort = 6;
  const std::lock_guard lock(hdf5_mutex());
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "prepare dataset " + name);
  if (!values.empty()) {
    const hsize_t chunk = std::min<hsize_t>(values.size(), kMostInAChunk);
    check(H5Pset_chunk(creation, 1, &chunk), "prepare dataset " + name);
    if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
      check(H5Pset_deflate(creation, kEffort), "prepare dataset " + name);
    }
  }
  write_dataset(file_, name, H5T_NATIVE_FLOAT, {values.size()}, values.data(), creation, unit);
}

void Writer::dataset_bytes(const std::string& name, const std::string& bytes) {
  const std::lock_guard lock(hdf5_mutex());
  write_dataset(file_, name, H5T_NATIVE_UINT8, {bytes.size()}, bytes.data());
}

void Writer::column(const Column& column, const std::vector<std::int64_t>& values) {
  const std::lock_guard lock(hdf5_mutex());
  write_column(file_, column, H5T_NATIVE_INT64, values.size(), values.data());
}

void Writer::column(const Column& column, const std::vector<double>& values) {
  const std::lock_guard lock(hdf5_mutex());
  write_column(file_, column, H5T_NATIVE_DOUBLE, values.size(), values.data());
}

void Writer::column(const Column& column, const std::vector<float>& values) {
  const std::lock_guard lock(hdf5_mutex());
  write_column(file_, column, H5T_NATIVE_FLOAT, values.size(), values.data());
}

void Writer::column(const Column& column, const std::vector<std::string>& values) {
  const std::lock_guard lock(hdf5_mutex());
  const Handle type(string_type(), H5Tclose, "make a string type");
  std::vector<const char*> texts;
  texts.reserve(values.size());
  for (const std::string& value : values) texts.push_back(value.c_str());
  write_column(file_, column, type, texts.size(), texts.data());
}

void Writer::attribute_of(const std::string& object, const std::string& name, std::int64_t value) {
  const std::lock_guard lock(hdf5_mutex());
  write_attribute_of(file_, object, name, H5T_NATIVE_INT64, &value);
}

void Writer::attribute_of(const std::string& object, const std::string& name, double value) {
  const std::lock_guard lock(hdf5_mutex());
  write_attribute_of(file_, object, name, H5T_NATIVE_DOUBLE, &value);
}

void Writer::attribute_of(const std::string& object,
                          const std::string& name,
                          const std::string& value) {
  const std::lock_guard lock(hdf5_mutex());
  write_text_of(file_, object, name, value);
}

void Writer::link(const std::string& name, const std::string& file) {
  const std::lock_guard lock(hdf5_mutex());
  const Handle links(through_groups(), H5Pclose, "prepare a link");
  check(H5Lcreate_external(file.c_str(), "/", file_, name.c_str(), links, H5P_DEFAULT),
        "make link " + name);
}

std::string Writer::finish() {
  const std::lock_guard lock(hdf5_mutex());
  check(H5Fflush(file_, H5F_SCOPE_GLOBAL), "finish a file");
  const ssize_t size = check(H5Fget_file_image(file_, nullptr, 0), "measure a file");
  std::string content(static_cast<std::size_t>(size), '\0');
  check(H5Fget_file_image(file_, content.data(), content.size()), "copy a file");
  H5Fclose(file_);
  file_ = -1;
  // The image may or may not hold the user block, by HDF5's version; the signature tells.
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  if (content.compare(0, kSignature.size(), kSignature) == 0) content.insert(0, kSealBytes, '\0');
  const std::string seal =
      std::string(kSealPrefix) + sha256_of(std::string_view(content).substr(kSealBytes)) + "\n";
  std::memset(content.data(), 0, kSealBytes);
  std::memcpy(content.data(), seal.data(), seal.size());
  return content;
}

Reader::Reader(const std::string& bytes) {
  if (bytes.size() <= kSealBytes || bytes.compare(0, kSealPrefix.size(), kSealPrefix) != 0) {
    throw Error(ErrorCode::kStorage, "not a file of vsr-dist, or cut short");
  }
  const std::string hash = sha256_of(std::string_view(bytes).substr(kSealBytes));
  if (bytes.compare(kSealPrefix.size(), hash.size(), hash) != 0) {
    throw Error(ErrorCode::kStorage, "damaged: its checksum does not match");
  }
  const std::lock_guard lock(hdf5_mutex());
  silence();
  const Handle access(memory_access(), H5Pclose, "prepare memory");
  check(H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size()), "read a file");
  file_ = check(H5Fopen(memory_name().c_str(), H5F_ACC_RDONLY, access), "read a file");
}

Reader::~Reader() {
  const std::lock_guard lock(hdf5_mutex());
  if (file_ >= 0) H5Fclose(file_);
}

std::int64_t Reader::integer(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_number<std::int64_t>(file_, name, H5T_NATIVE_INT64);
}

double Reader::real(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_number<double>(file_, name, H5T_NATIVE_DOUBLE);
}

std::string Reader::text(const std::string& name) const { return text_of(".", name); }

std::string Reader::text_of(const std::string& object, const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  const Handle attribute(
      H5Aopen_by_name(file_, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose,
      "find attribute " + name);
  const Handle type(string_type(), H5Tclose, "make a string type");
  char* raw = nullptr;
  check(H5Aread(attribute, type, &raw), "read attribute " + name);
  const std::string value = raw == nullptr ? "" : raw;
  H5free_memory(raw);
  return value;
}

std::vector<std::int64_t> Reader::integers(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_numbers<std::int64_t>(file_, name, H5T_NATIVE_INT64, H5T_INTEGER);
}

std::vector<std::uint32_t> Reader::words(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_numbers<std::uint32_t>(file_, name, H5T_NATIVE_UINT32, H5T_INTEGER);
}

std::vector<std::uint16_t> Reader::halfwords(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_numbers<std::uint16_t>(file_, name, H5T_NATIVE_UINT16, H5T_INTEGER);
}

std::vector<float> Reader::floats(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_numbers<float>(file_, name, H5T_NATIVE_FLOAT, H5T_FLOAT);
}

std::vector<double> Reader::reals(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  return read_numbers<double>(file_, name, H5T_NATIVE_DOUBLE, H5T_FLOAT);
}

std::vector<std::string> Reader::texts(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  const Handle type(string_type(), H5Tclose, "make a string type");
  std::vector<char*> raw = read_numbers<char*>(file_, name, type, H5T_STRING);
  std::vector<std::string> values;
  values.reserve(raw.size());
  for (char* text : raw) {
    values.emplace_back(text == nullptr ? "" : text);
    H5free_memory(text);
  }
  return values;
}

std::string Reader::bytes(const std::string& name) const {
  const std::lock_guard lock(hdf5_mutex());
  const auto values = read_numbers<unsigned char>(file_, name, H5T_NATIVE_UINT8, H5T_INTEGER);
  return {values.begin(), values.end()};
}

}  // namespace vsr::store::h5

namespace vsr::store {

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return format("HDF5 {}.{}.{}", major, minor, release);
}

}  // namespace vsr::store
