#include "clips.hpp"

#include "vsr/base/format.hpp"
#include "vsr/base/sha256.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace vsr::test {

bool have_ffmpeg() {
  static const bool kHave = run_process({"ffmpeg", "-hide_banner", "-version"}).status == 0;
  return kHave;
}

std::vector<std::string> split_words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

void run_ffmpeg(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{"ffmpeg", "-nostdin", "-v", "error", "-y"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const ProcessResult result = run_process(command);
  if (result.status != 0) throw std::runtime_error("ffmpeg: " + result.output);
}

std::filesystem::path make_clip(const std::filesystem::path& path,
                                const Clip& clip,
                                const std::string& output_options) {
  const int moments = clip.interlaced ? 2 * clip.frames : clip.frames;
  std::string graph = format(
      "loop=-1:size=21,setpts=N/25/TB,fps=25,trim=end_frame={},"
      "crop={}:{}:x='mod(n*7,{})':y='mod(n*5,{})',format=yuv444p",
      moments,
      clip.width,
      clip.height,
      321 - clip.width,
      181 - clip.height);
  if (clip.interlaced)
    graph += ",tinterlace=mode=interleave_top,setpts=N/25/TB,fps=25,setfield=tff";
  if (!clip.filters.empty()) graph += "," + clip.filters;
  std::vector<std::string> arguments{
      "-i", (source_dir() / "tests/data/reds_demo_000.mkv").string(), "-an", "-vf", graph};
  for (const std::string& word : split_words(output_options)) arguments.push_back(word);
  arguments.push_back(path.string());
  run_ffmpeg(arguments);
  return path;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::filesystem::path with_ruined_pictures(const std::filesystem::path& film,
                                           const std::vector<int>& ruined) {
  const auto packets = run_process({"ffprobe",
                                    "-v",
                                    "error",
                                    "-select_streams",
                                    "v:0",
                                    "-show_entries",
                                    "packet=pos,size",
                                    "-of",
                                    "csv=p=0",
                                    film.string()});
  std::string bytes = read_bytes(film);
  std::istringstream lines(packets.output);
  int number = 0;
  for (std::string line; std::getline(lines, line); ++number) {
    if (std::find(ruined.begin(), ruined.end(), number) == ruined.end()) continue;
    const std::size_t comma = line.find(',');
    const std::size_t size = std::stoul(line.substr(0, comma));
    const std::size_t pos = std::stoul(line.substr(comma + 1));
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(pos), size, '\0');
  }
  const std::filesystem::path path = film.parent_path() / ("ruined" + film.extension().string());
  write_bytes(path, bytes);
  return path;
}

std::string hash_of(const PictureView& picture) {
  std::vector<std::byte> packed(packed_bytes(picture.format));
  copy_picture(picture, packed_view(picture.format, packed.data()));
  Sha256 hash;
  hash.update(packed.data(), packed.size());
  return hash.finish();
}

std::vector<std::string> read_hashes(const media::Timeline& timeline,
                                     std::int64_t first,
                                     std::int64_t count,
                                     int threads) {
  media::FrameReader reader(timeline, first, threads);
  std::vector<std::string> hashes;
  PictureView picture;
  while (count < 0 || static_cast<std::int64_t>(hashes.size()) < count) {
    if (!reader.read(picture)) break;
    hashes.push_back(hash_of(picture));
  }
  return hashes;
}

std::vector<std::string> ffmpeg_hashes(const std::filesystem::path& path,
                                       const std::string& filters) {
  std::vector<std::string> command{
      "ffmpeg", "-nostdin", "-v", "error", "-i", path.string(), "-map", "0:v:0", "-vsync", "0"};
  if (!filters.empty()) command.insert(command.end(), {"-vf", filters});
  command.insert(command.end(), {"-f", "framehash", "-hash", "sha256", "-"});
  const ProcessResult result = run_process(command);
  if (result.status != 0) throw std::runtime_error("ffmpeg: " + result.output);
  std::vector<std::string> hashes;
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t at = line.rfind(", ");
    if (at != std::string::npos) hashes.push_back(line.substr(at + 2));
  }
  return hashes;
}

}  // namespace vsr::test
