// HDF5 behind a few throwing calls. A file is built in memory and handed out as bytes, so that
// what reaches the disk goes through base/atomic_file like every other file, and HDF5 never sees a
// torn one that it wrote itself. Private to the room.
//
// HDF5 is built without thread safety on some systems: every call here takes one lock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vsr::store::h5 {

// A dataset that says what it holds: unit and description become attributes of it.
struct Column {
  std::string name;  // "frames/luma_mean": groups are made as they are named
  std::string unit;
  std::string description;
  bool grows = false;     // chunked, compressed, extensible; else as it is
  std::size_t width = 0;  // values in a row; 0: one-dimensional
};

// Collects datasets and attributes, then gives the file's bytes.
class Writer {
 public:
  Writer();
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void attribute(const std::string& name, std::int64_t value);
  void attribute(const std::string& name, double value);
  void attribute(const std::string& name, const std::string& value);
  // One-dimensional, or rows x columns in row-major order.
  void dataset(const std::string& name,
               const std::vector<std::int64_t>& values,
               std::size_t columns = 1);
  void dataset(const std::string& name, const std::vector<std::uint32_t>& values);
  void dataset(const std::string& name,
               const std::vector<std::uint16_t>& values,
               std::size_t columns);
  void dataset(const std::string& name, const std::vector<double>& values);
  void dataset(const std::string& name, const std::vector<std::string>& values);
  // Compressed where HDF5 can; the unit as an attribute of the dataset.
  void dataset(const std::string& name, const std::vector<float>& values, const std::string& unit);
  void dataset_bytes(const std::string& name, const std::string& bytes);
  void column(const Column& column, const std::vector<std::int64_t>& values);
  void column(const Column& column, const std::vector<double>& values);
  void column(const Column& column, const std::vector<float>& values);
  void column(const Column& column, const std::vector<std::string>& values);
  // Of a group, which is made if it is not there yet, or of a dataset.
  void attribute_of(const std::string& object, const std::string& name, std::int64_t value);
  void attribute_of(const std::string& object, const std::string& name, double value);
  void attribute_of(const std::string& object, const std::string& name, const std::string& value);
  // A name for all that another file holds; that file need not be there.
  void link(const std::string& name, const std::string& file);
  // The whole file; the writer is spent.
  std::string finish();

 private:
  std::int64_t file_ = -1;
};

// Reads from a file's bytes. Throws Error(kStorage) for what is missing or of another type.
class Reader {
 public:
  explicit Reader(const std::string& bytes);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  std::int64_t integer(const std::string& name) const;
  double real(const std::string& name) const;
  std::string text(const std::string& name) const;
  std::string text_of(const std::string& object, const std::string& name) const;
  std::vector<std::int64_t> integers(const std::string& name) const;
  std::vector<std::uint32_t> words(const std::string& name) const;
  std::vector<std::uint16_t> halfwords(const std::string& name) const;
  std::vector<float> floats(const std::string& name) const;
  std::vector<double> reals(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  std::string bytes(const std::string& name) const;

 private:
  std::int64_t file_ = -1;
};

}  // namespace vsr::store::h5
