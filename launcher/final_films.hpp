// From committed segments to the final films, and the stamp that says that they are made.
#pragma once

#include "planning.hpp"
#include "vsr/assemble/assemble.hpp"
#include "vsr/job/job.hpp"
#include "vsr/store/run_directory.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vsr::launcher {

// All but the segments.
assemble::AssembleSpec assemble_spec(const Job& job,
                                     const store::Plan& plan,
                                     const media::Timeline& timeline,
                                     const std::filesystem::path& out);

// Names everything that films made of this plan's segments or chunks depend on.
std::string final_identity(const Job& job, const store::Plan& plan);

// Whether films were made for `identity`, by the stamp; they may have been moved away since.
bool were_made(const store::RunDirectory& directory, const std::string& identity);

// The films that the stamp names, if they are there and were made for `identity`.
std::optional<std::vector<std::filesystem::path>> finished_films(
    const store::RunDirectory& directory, const std::string& identity);

void write_stamp(const store::RunDirectory& directory,
                 const std::string& identity,
                 const std::vector<std::filesystem::path>& films);

// Makes the films from the files of all segments or chunks (`plan` is theirs, `records` in its
// order), telling the log and `progress` how it goes. Throws Error: kStorage when one is not what
// its record says, kInterrupted when `stop` asks to end.
assemble::AssembleResult make_films(assemble::AssembleSpec spec,
                                    const store::RunDirectory& directory,
                                    const store::Plan& plan,
                                    store::Piece piece,
                                    const std::vector<store::Record>& records,
                                    const std::function<void(std::int64_t frames)>& progress,
                                    const std::atomic<int>& stop);

}  // namespace vsr::launcher
