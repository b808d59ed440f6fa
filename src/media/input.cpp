#include "input.hpp"

#include "byte_io.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::media {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, std::string_view reason) {
  throw Error(ErrorCode::kInput, format("{}: {}", path, reason));
}

[[noreturn]] void refuse_reading(const std::string& path, int failure) {
  throw Error(
      ErrorCode::kStorage,
      format("{}: cannot be read: {}; see to the disk or the network it lies on, then start "
             "again: what is done is kept",
             path,
             av_error_text(failure)));
}

// "dir/shot_%04d.png" -> folder "dir", before "shot_", digits 4, after ".png".
struct Pattern {
  fs::path folder;
  std::string before;
  int digits = 0;  // 0: as many as the number has
  std::string after;
};

std::optional<Pattern> parse_pattern(const std::string& path) {
  const fs::path whole(path);
  const std::string name = whole.filename().string();
  const std::size_t percent = name.find('%');
  if (percent == std::string::npos) return std::nullopt;
  std::size_t at = percent + 1;
  Pattern pattern{whole.parent_path(), name.substr(0, percent), 0, {}};
  if (at < name.size() && name[at] == '0') {
    ++at;
    const auto [end, error] =
        std::from_chars(name.data() + at, name.data() + name.size(), pattern.digits);
    if (error != std::errc{} || pattern.digits < 1 || pattern.digits > 18) return std::nullopt;
    at = static_cast<std::size_t>(end - name.data());
  }
  if (at >= name.size() || name[at] != 'd') return std::nullopt;
  pattern.after = name.substr(at + 1);
  if (pattern.after.find('%') != std::string::npos) return std::nullopt;
  return pattern;
}

std::string name_in(const Pattern& pattern, std::int64_t number) {
  std::string digits = std::to_string(number);
  const auto least = static_cast<std::size_t>(pattern.digits);
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  return pattern.before + digits + pattern.after;
}

// The number in a file's name, if the pattern could have made that name.
std::optional<std::int64_t> number_in(const Pattern& pattern, std::string_view name) {
  if (name.size() <= pattern.before.size() + pattern.after.size()) return std::nullopt;
  if (!name.starts_with(pattern.before) || !name.ends_with(pattern.after)) return std::nullopt;
  const std::string_view digits = name.substr(
      pattern.before.size(), name.size() - pattern.before.size() - pattern.after.size());
  const auto number = parse_number<std::int64_t>(digits);
  if (!number || *number < 0 || name != name_in(pattern, *number)) return std::nullopt;
  return number;
}

// The pattern for FFmpeg, which would see one in the folder's name as well.
std::string escaped_pattern(const Pattern& pattern) {
  std::string folder;
  for (const char c : (pattern.folder / "").string()) folder += c == '%' ? "%%" : std::string(1, c);
  const std::string number = pattern.digits == 0 ? "%d" : format("%0{}d", pattern.digits);
  return folder + pattern.before + number + pattern.after;
}

// Finds first number, count and size; refuses holes, which would shift every later picture.
void find_images(const std::string& path, const Pattern& pattern, Input& input) {
  const fs::path folder = pattern.folder.empty() ? fs::path(".") : pattern.folder;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) refuse(path, format("cannot list the folder: {}", error.message()));
  std::vector<std::int64_t> numbers;
  for (const fs::directory_entry& entry : entries) {
    const auto number = number_in(pattern, entry.path().filename().string());
    if (!number || !entry.is_regular_file(error)) continue;
    numbers.push_back(*number);
    const std::uintmax_t bytes = entry.file_size(error);
    if (!error) input.bytes += bytes;
  }
  if (numbers.empty()) refuse(path, "no file matches this pattern of an image sequence");
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[i - 1] + 1) {
      refuse(path,
             format("{} is missing in the image sequence", name_in(pattern, numbers[i - 1] + 1)));
    }
  }
  if (numbers.back() > INT32_MAX) refuse(path, "the pictures' numbers are too large");
  input.image_sequence = true;
  input.first_image = numbers.front();
  input.images = static_cast<std::int64_t>(numbers.size());
}

// What a file must be before FFmpeg sees it: a pipe could block for ever, a device has no end.
void check_file(const std::string& path, Input& input) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) refuse(path, "no such file");
  if (error) refuse(path, error.message());
  if (fs::is_directory(status)) {
    refuse(path, "is a folder; an image sequence is named by a pattern such as folder/%08d.png");
  }
  if (!fs::is_regular_file(status)) refuse(path, "is not a regular file");
  input.bytes = fs::file_size(path, error);
  if (error) refuse(path, error.message());
  if (input.bytes == 0) refuse(path, "the file is empty");
}

// Containers that are no film of their own: they play other files, or text as pictures.
bool is_refused_container(const AVInputFormat& container) {
  constexpr std::array<std::string_view, 14> kRefused{"tty",
                                                      "concat",
                                                      "concatf",
                                                      "hls",
                                                      "dash",
                                                      "sdp",
                                                      "rtsp",
                                                      "lavfi",
                                                      "imf",
                                                      "bin",
                                                      "xbin",
                                                      "adf",
                                                      "idf",
                                                      "ffmetadata"};
  return std::find(kRefused.begin(), kRefused.end(), container.name) != kRefused.end();
}

// Of an image sequence: a file of that very name goes first.
std::optional<Pattern> image_pattern(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error) ? std::nullopt : parse_pattern(path);
}

// Closes a file that a demuxer opened beside the film's own (each picture of a sequence) and keeps
// what failed in it, as a number, in the context's `opaque`.
int close_and_note(AVFormatContext* context, AVIOContext* file) {
  const int failure = file->error;
  if (failure < 0 && context->opaque == nullptr) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a number that needs no owner
    context->opaque = reinterpret_cast<void*>(static_cast<std::intptr_t>(failure));
  }
  return avio_close(file);
}

// What failed in reading so far; 0: nothing.
int failure_of(const AVFormatContext& context) {
  if (context.pb != nullptr && context.pb->error < 0) return context.pb->error;
  return static_cast<int>(reinterpret_cast<std::intptr_t>(context.opaque));
}

// Why a file that FFmpeg has just failed to open cannot be read, or 0 when it is the content that
// is no film. FFmpeg's word does not tell (it says "no moov atom" where it could not read so far),
// and the file it failed with is gone: so once more, with a file of our own to look at.
int read_failure(const std::string& url) {
  AVIOContext* file = nullptr;
  const int opened = avio_open(&file, url.c_str(), AVIO_FLAG_READ);
  if (opened < 0) return opened == AVERROR(EACCES) ? 0 : opened;
  Dictionary options;
  options.set("protocol_whitelist", "file");
  AVFormatContext* context = avformat_alloc_context();
  if (context != nullptr) context->pb = file;
  const bool good_now = context != nullptr &&
                        avformat_open_input(&context, url.c_str(), nullptr, options.slot()) >= 0;
  const int failure = good_now ? AVERROR(EIO) : file->error;
  avformat_close_input(&context);  // leaves `file` alone
  avio_closep(&file);
  return failure;
}

bool is_stream_container(const AVInputFormat& container) {
  const std::string_view name = container.name;
  return name == "mpeg" || name == "mpegts";
}

}  // namespace

int read_packet(const Input& input, AVPacket& packet) {
  const int result = av_read_frame(input.format.get(), &packet);
  const int failure = failure_of(*input.format);
  if (failure < 0) {
    rethrow_failure(*input.format);
    refuse_reading(input.path, failure);
  }
  // Bad data in a picture's file is for its decoder to say; this is a file that does not open.
  if (input.image_sequence && result < 0 && result != AVERROR_EOF) {
    refuse_reading(input.path, result);
  }
  return result;
}

bool is_avi(const AVInputFormat& container) { return std::string_view(container.name) == "avi"; }

bool is_image_pattern(const std::string& path) { return image_pattern(path).has_value(); }

std::string image_name(const std::string& pattern, std::int64_t number) {
  const auto parsed = parse_pattern(pattern);
  if (!parsed) throw Error(ErrorCode::kInternal, format("'{}' is no pattern", pattern));
  return (parsed->folder / name_in(*parsed, number)).string();
}

Input open_input(const std::string& path, Search search, const OpenBytes& open) {
  Input input;
  input.path = path;
  Dictionary options;
  const AVInputFormat* container = nullptr;
  const auto pattern = open ? std::nullopt : image_pattern(path);
  if (pattern) {
    find_images(path, *pattern, input);
    container = av_find_input_format("image2");
    if (container == nullptr) refuse(path, "this FFmpeg cannot read image sequences");
    options.set("pattern_type", "sequence");
    options.set("framerate", "25");
    options.set("start_number", std::to_string(input.first_image));
  } else if (!open) {
    check_file(path, input);
  }
  options.set("protocol_whitelist", "file");

  AVFormatContext* raw = avformat_alloc_context();
  if (raw == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  raw->io_close2 = close_and_note;
  // "file:" so that a name with a colon is not taken for an address. image2 wants the bare name.
  const std::string url = pattern ? escaped_pattern(*pattern) : "file:" + path;
  LogCapture log;
  int result = open_bytes(input.format, raw, url, container, options.slot(), open);
  if (result < 0) {  // raw is freed
    const std::string reason = log.text();
    if (const int failure = pattern || open ? 0 : read_failure(url)) refuse_reading(path, failure);
    refuse(path,
           format("not a film that FFmpeg can open: {}",
                  reason.empty() ? av_error_text(result) : reason));
  }
  raw = input.format.get();
  if (open) input.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, avio_size(raw->pb)));
  if (is_refused_container(*raw->iformat)) {
    refuse(path, format("not a film ({})", raw->iformat->long_name));
  }
  // AVI tells the order of decoding only, and a DVD says when to show a picture only here and
  // there: FFmpeg works out the rest.
  if (is_avi(*raw->iformat) || std::string_view(raw->iformat->name) == "mpeg") {
    raw->flags |= AVFMT_FLAG_GENPTS;
  }
  if (search == Search::kThorough && is_stream_container(*raw->iformat)) {
    constexpr std::int64_t kMostBytes = 100'000'000;
    constexpr std::int64_t kMostSeconds = 100;
    raw->probesize = kMostBytes;
    raw->max_analyze_duration = kMostSeconds * AV_TIME_BASE;
  }
  // Decoders that look into the first packets take no memory for what a header merely announces.
  const unsigned streams = raw->nb_streams;
  std::vector<Dictionary> limits(streams);
  std::vector<AVDictionary*> slots;
  for (Dictionary& limit : limits) {
    limit.set("max_pixels", std::to_string(kMostPixels));
    slots.push_back(*limit.slot());
  }
  result = avformat_find_stream_info(raw, slots.empty() ? nullptr : slots.data());
  for (unsigned i = 0; i < streams; ++i) *limits[i].slot() = slots[i];
  if (const int failure = failure_of(*raw); failure < 0) {
    rethrow_failure(*raw);
    refuse_reading(path, failure);
  }
  if (result < 0) refuse(path, format("cannot be read: {}", av_error_text(result)));
  return input;
}

const AVStream& film_stream(const Input& input) {
  constexpr int kNoFilm =
      AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS | AV_DISPOSITION_STILL_IMAGE;
  std::string problem = "holds no film: there is no video stream";
  for (unsigned i = 0; i < input.format->nb_streams; ++i) {
    const AVStream& stream = *input.format->streams[i];
    const AVCodecParameters& parameters = *stream.codecpar;
    if (parameters.codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if ((stream.disposition & kNoFilm) != 0) {
      problem = "holds no film: its only picture is cover art";
      continue;
    }
    if (avcodec_find_decoder(parameters.codec_id) == nullptr) {
      problem = format("this FFmpeg has no decoder for its codec {}",
                       avcodec_get_name(parameters.codec_id));
      continue;
    }
    if (parameters.width <= 0 || parameters.height <= 0 || parameters.format < 0) {
      problem = format("its {} stream holds no picture that can be decoded",
                       avcodec_get_name(parameters.codec_id));
      continue;
    }
    return stream;
  }
  refuse(input.path, problem);
}

}  // namespace vsr::media
