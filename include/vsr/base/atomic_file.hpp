// Files that survive a crash: written under another name, synced, then renamed into place, so that
// a name that does not end in ".part" always names a whole file.
// Every function throws Error(kStorage) with the file's name and the system's reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vsr {

// "x.mov" -> "x.mov.part".
std::filesystem::path part_name(const std::filesystem::path& path);
// Syncs the finished `part_name(path)` to disk, renames it to `path`, syncs the directory.
// Replaces an existing `path` in one step. Waits for the disk.
void publish(const std::filesystem::path& path);
// The same for a part file of another name in the same folder.
void publish(const std::filesystem::path& part, const std::filesystem::path& path);
// Writes `content` to part_name(path), or to `part` in the same folder, and publishes it. Who may
// write one file at the same time as another process needs a part file of his own.
void write_file(const std::filesystem::path& path, std::string_view content);
void write_file(const std::filesystem::path& path,
                std::string_view content,
                const std::filesystem::path& part);
// Reads a whole file; refuses one of more than `most_bytes`.
std::string read_file(const std::filesystem::path& path, std::uint64_t most_bytes = 64u << 20);
// Removes a file if it is there and syncs its directory.
void remove_file(const std::filesystem::path& path);
void make_directories(const std::filesystem::path& path);
// Bytes an unprivileged user may still write, by statvfs. On network volumes this may be the whole
// cluster's space and not the quota.
std::uint64_t free_bytes(const std::filesystem::path& path);

}  // namespace vsr
