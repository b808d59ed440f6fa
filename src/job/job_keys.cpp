#include "job_keys.hpp"

#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"
#include "vsr/base/number.hpp"
#include "vsr/base/time_text.hpp"

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace vsr {

namespace {

// --- Reading and printing of values ------------------------------------------------------------

// Sets `value` if all of `text` is a finite number.
template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto number = vsr::parse_number<Number>(text);
  if (!number || !std::isfinite(static_cast<double>(*number))) return false;
  value = *number;
  return true;
}

bool parse_time(const std::string& text, double& seconds) {
  const auto time = vsr::parse_time(text);
  seconds = time.value_or(seconds);
  return time.has_value();
}

std::string print_time(double seconds) { return format("{}", seconds); }

// From what speech needs to what the widest lossy codec (E-AC-3) takes: a forgotten k is noticed.
constexpr std::int64_t kLeastBitrate = 8'000;
constexpr std::int64_t kMostBitrate = 6'144'000;

// "640k", "1500000".
bool parse_bitrate(const std::string& text, std::int64_t& value) {
  std::string_view digits = text;
  std::int64_t unit = 1;
  if (!digits.empty() && (digits.back() == 'k' || digits.back() == 'M')) {
    unit = digits.back() == 'k' ? 1000 : 1'000'000;
    digits.remove_suffix(1);
  }
  if (!parse_number(digits, value) || value <= 0 || value > kMostBitrate / unit) return false;
  value *= unit;
  return value >= kLeastBitrate;
}

std::string print_bitrate(std::int64_t value) {
  return value % 1000 == 0 ? format("{}k", value / 1000) : format("{}", value);
}

bool parse_streams(const std::string& text, StreamChoice& choice) {
  using Kind = StreamChoice::Kind;
  choice.list.clear();
  if (text == "all" || text == "none" || text == "first") {
    choice.kind = text == "all" ? Kind::kAll : text == "none" ? Kind::kNone : Kind::kFirst;
    return true;
  }
  choice.kind = Kind::kList;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(',', begin);
    std::string_view item = std::string_view(text).substr(begin, end - begin);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    std::int64_t number = 0;
    if (!parse_number(item, number) || number < 0 || number > 999) return false;
    choice.list.push_back(static_cast<int>(number));
    if (end == std::string::npos) return true;
    begin = end + 1;
  }
}

std::string print_streams(const StreamChoice& choice) {
  switch (choice.kind) {
    case StreamChoice::Kind::kAll:
      return "all";
    case StreamChoice::Kind::kNone:
      return "none";
    case StreamChoice::Kind::kFirst:
      return "first";
    case StreamChoice::Kind::kList:
      break;
  }
  std::string text;
  for (const int number : choice.list) text += (text.empty() ? "" : ",") + format("{}", number);
  return text;
}

bool parse_crop(const std::string& text, std::optional<CropRect>& crop) {
  if (text.empty() || text == "none") {
    crop.reset();
    return true;
  }
  std::int64_t number[4] = {};
  std::size_t begin = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t end = text.find(':', begin);
    if ((end == std::string::npos) != (i == 3)) return false;
    if (!parse_number(std::string_view(text).substr(begin, end - begin), number[i]) ||
        number[i] < (i < 2 ? 1 : 0) || number[i] > 16384) {
      return false;
    }
    begin = end + 1;
  }
  crop = CropRect{static_cast<int>(number[0]),
                  static_cast<int>(number[1]),
                  static_cast<int>(number[2]),
                  static_cast<int>(number[3])};
  return true;
}

std::string print_crop(const std::optional<CropRect>& crop) {
  if (!crop) return "none";
  return format("{}:{}:{}:{}", crop->width, crop->height, crop->x, crop->y);
}

constexpr int kLeastTile = 64;
constexpr int kMostTile = 16384;

bool parse_tile(const std::string& text, TileChoice& choice) {
  using Kind = TileChoice::Kind;
  if (text == "auto" || text == "off") {
    choice = {text == "auto" ? Kind::kAuto : Kind::kOff};
    return true;
  }
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) return false;
  choice.kind = Kind::kSize;
  const auto length = [](std::string_view digits, int& value) {
    return parse_number(digits, value) && value >= kLeastTile && value <= kMostTile;
  };
  const std::string_view whole = text;
  return length(whole.substr(0, cross), choice.width) &&
         length(whole.substr(cross + 1), choice.height);
}

std::string print_tile(const TileChoice& choice) {
  switch (choice.kind) {
    case TileChoice::Kind::kAuto:
      return "auto";
    case TileChoice::Kind::kOff:
      return "off";
    case TileChoice::Kind::kSize:
      break;
  }
  return format("{}x{}", choice.width, choice.height);
}

// --- Kinds of keys -----------------------------------------------------------------------------

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

template <typename Value>
std::string joined(const Names<Value>& names) {
  std::string text;
  for (const auto& [name, value] : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A field with named values. `field` returns a reference to it, whether the job is const or not.
template <typename Value, typename Field>
JobKey choice_key(
    std::string name, std::string help, Affects affects, const Names<Value>& names, Field field) {
  return {std::move(name),
          joined(names),
          std::move(help),
          affects,
          false,
          [names, field](Job& job, const std::string& text) {
            for (const auto& [known, value] : names) {
              if (known != text) continue;
              field(job) = value;
              return true;
            }
            return false;
          },
          [names, field](const Job& job) -> std::string {
            for (const auto& [known, value] : names) {
              if (value == field(job)) return known;
            }
            return "";
          }};
}

// A whole number within [least, most]; `word` stands for `least - 1`... unless empty.
template <typename Field>
JobKey number_key(std::string name,
                  std::string help,
                  Affects affects,
                  std::int64_t least,
                  std::int64_t most,
                  Field field,
                  const std::string& zero_word = "") {
  const std::string allowed = (zero_word.empty() ? "" : zero_word + " or ") +
                              format("a whole number from {} to {}", least, most);
  return {std::move(name),
          allowed,
          std::move(help),
          affects,
          false,
          [=](Job& job, const std::string& text) {
            std::int64_t value = 0;
            if (!zero_word.empty() && text == zero_word) {
              field(job) = 0;
              return true;
            }
            if (!parse_number(text, value) || value < least || value > most) return false;
            field(job) = static_cast<int>(value);
            return true;
          },
          [=](const Job& job) {
            return !zero_word.empty() && field(job) == 0 ? zero_word : format("{}", field(job));
          }};
}

// A field with a reader and a printer of its own.
template <typename Parse, typename Print>
JobKey special_key(std::string name,
                   std::string allowed,
                   std::string help,
                   Affects affects,
                   Parse parse,
                   Print print,
                   bool is_path = false) {
  return {std::move(name), std::move(allowed), std::move(help), affects, is_path, parse, print};
}

template <typename Field>
JobKey text_key(std::string name,
                std::string allowed,
                std::string help,
                Affects affects,
                Field field,
                bool is_path = false) {
  return special_key(
      std::move(name),
      std::move(allowed),
      std::move(help),
      affects,
      [field](Job& job, const std::string& text) {
        field(job) = text;
        return true;
      },
      [field](const Job& job) { return field(job); },
      is_path);
}

// A frame rate, or "source" for none of its own.
template <typename Field>
JobKey rate_key(
    std::string name, const std::string& example, std::string help, Affects affects, Field field) {
  return special_key(
      std::move(name),
      "source, or a rate such as " + example + " or 24000/1001",
      std::move(help),
      affects,
      [field](Job& job, const std::string& text) {
        if (text == "source") {
          field(job).reset();
        } else {
          field(job) = parse_rate(text);
        }
        return true;
      },
      [field](const Job& job) {
        return field(job) ? to_string(*field(job)) : std::string("source");
      });
}

// NOLINTBEGIN(bugprone-macro-parentheses): `path` names a member, which takes no parentheses.
#define VSR_FIELD(path) \
  [](auto& job) -> auto& { return job.path; }
// NOLINTEND(bugprone-macro-parentheses)

const Names<bool> kOnOff = {{"on", true}, {"off", false}};
const Names<std::optional<Matrix>> kMatrices = {{"auto", std::nullopt},
                                                {"bt601", Matrix::kBt601},
                                                {"bt709", Matrix::kBt709},
                                                {"bt2020nc", Matrix::kBt2020Ncl},
                                                {"smpte240m", Matrix::kSmpte240m},
                                                {"fcc", Matrix::kFcc}};

void add_input_keys(std::vector<JobKey>& keys) {
  constexpr Affects kPicture = Affects::kSegments;
  keys.push_back(text_key("input.file",
                          "a file name",
                          "the film; image sequences by pattern, frames/%08d.png",
                          kPicture,
                          VSR_FIELD(input.file),
                          true));
  const std::string streams = "all, none, first, or numbers as in 0,2";
  const auto stream_key = [&](const char* name, const char* help, auto field) {
    keys.push_back(special_key(
        name,
        streams,
        help,
        Affects::kFinal,
        [field](Job& job, const std::string& text) { return parse_streams(text, field(job)); },
        [field](const Job& job) { return print_streams(field(job)); }));
  };
  stream_key("input.audio", "which sound tracks, counted from 0", VSR_FIELD(input.audio));
  stream_key(
      "input.subtitles", "which subtitle tracks, counted from 0", VSR_FIELD(input.subtitles));
  const auto time_key = [&](const char* name, const char* help, auto field) {
    keys.push_back(special_key(
        name,
        "a time such as 90, 1:30 or 0:01:30.5",
        help,
        kPicture,
        [field](Job& job, const std::string& text) { return parse_time(text, field(job)); },
        [field](const Job& job) { return print_time(field(job)); }));
  };
  time_key("input.start",
           "first moment of the part to make: a preview, with a run.dir of its own",
           VSR_FIELD(input.start_s));
  time_key("input.end", "its end; 0: to the end of the film", VSR_FIELD(input.end_s));
}

void add_preprocess_keys(std::vector<JobKey>& keys) {
  constexpr Affects kPicture = Affects::kSegments;
  keys.push_back(choice_key<Preset>(
      "preprocess.preset",
      "a set of the values below: pal-dvd is 720x576i anamorphic to 1024x576p bt709",
      kPicture,
      {{"none", Preset::kNone}, {"pal-dvd", Preset::kPalDvd}},
      VSR_FIELD(preprocess.preset)));
  keys.push_back(text_key("preprocess.filters",
                          "a libavfilter graph with one input and one output",
                          "your own graph in place of the keys below",
                          kPicture,
                          VSR_FIELD(preprocess.filters)));
  keys.push_back(number_key("preprocess.width",
                            "width of the scaled picture, before the crop",
                            kPicture,
                            16,
                            16384,
                            VSR_FIELD(preprocess.width),
                            "source"));
  keys.push_back(number_key("preprocess.height",
                            "height of the scaled picture, before the crop",
                            kPicture,
                            16,
                            16384,
                            VSR_FIELD(preprocess.height),
                            "source"));
  keys.push_back(special_key(
      "preprocess.crop",
      "none, or width:height:x:y",
      "part of the scaled picture to keep",
      kPicture,
      [](Job& job, const std::string& text) { return parse_crop(text, job.preprocess.crop); },
      [](const Job& job) { return print_crop(job.preprocess.crop); }));
  keys.push_back(choice_key<Deinterlace>(
      "preprocess.deinterlace",
      "auto: when the stream says it is interlaced",
      kPicture,
      {{"auto", Deinterlace::kAuto}, {"off", Deinterlace::kOff}, {"bwdif", Deinterlace::kBwdif}},
      VSR_FIELD(preprocess.deinterlace)));
  keys.push_back(choice_key<FieldParity>(
      "preprocess.parity",
      "which field comes first",
      kPicture,
      {{"auto", FieldParity::kAuto}, {"tff", FieldParity::kTop}, {"bff", FieldParity::kBottom}},
      VSR_FIELD(preprocess.parity)));
  keys.push_back(
      choice_key<std::optional<Matrix>>("preprocess.matrix_in",
                                        "YUV matrix of the source, over its tag (not with "
                                        "filters); auto: its tag, else bt601 up to 576 "
                                        "lines and bt709 above",
                                        kPicture,
                                        kMatrices,
                                        VSR_FIELD(preprocess.matrix_in)));
  keys.push_back(
      choice_key<std::optional<Matrix>>("preprocess.matrix_out",
                                        "YUV matrix of everything made; auto: the source's",
                                        kPicture,
                                        kMatrices,
                                        VSR_FIELD(preprocess.matrix_out)));
  keys.push_back(rate_key("preprocess.fps",
                          "25",
                          "constant rate of the timeline",
                          kPicture,
                          VSR_FIELD(preprocess.fps)));
  keys.push_back(choice_key<MezzanineMode>("preprocess.mezzanine",
                                           "decode the film once into a lossless intra file first; "
                                           "auto: when its frames cannot be found exactly",
                                           kPicture,
                                           {{"auto", MezzanineMode::kAuto},
                                            {"never", MezzanineMode::kNever},
                                            {"always", MezzanineMode::kAlways}},
                                           VSR_FIELD(preprocess.mezzanine)));
}

void add_network_keys(std::vector<JobKey>& keys) {
  constexpr Affects kPicture = Affects::kSegments;
  keys.push_back(text_key("model.checkpoint",
                          "embedded, or a .pth or .safetensors file",
                          "weights of the network",
                          kPicture,
                          VSR_FIELD(model.checkpoint),
                          true));
  keys.push_back(choice_key<Precision>("model.precision",
                                       "number format on a GPU; a CPU always computes in fp32",
                                       kPicture,
                                       {{"fp16", Precision::kFp16},
                                        {"bf16", Precision::kBf16},
                                        {"tf32", Precision::kTf32},
                                        {"fp32", Precision::kFp32}},
                                       VSR_FIELD(model.precision)));
  keys.push_back(choice_key<Backend>(
      "model.backend",
      "implementation of the network",
      kPicture,
      {{"auto", Backend::kAuto}, {"fused", Backend::kFused}, {"reference", Backend::kReference}},
      VSR_FIELD(model.backend)));
  keys.push_back(number_key(
      "stream.max_seq_len",
      "frames the network sees at once; auto: an eighth of a segment, a quarter where the GPU "
      "encodes, or what memory holds",
      kPicture,
      1,
      2000,
      VSR_FIELD(stream.max_seq_len),
      "auto"));
  keys.push_back(number_key("stream.overlap",
                            "frames of context on each side of a segment or window",
                            kPicture,
                            0,
                            200,
                            VSR_FIELD(stream.overlap)));
  keys.push_back(special_key(
      "stream.tile",
      format("auto, off, or WIDTHxHEIGHT, each from {} to {}", kLeastTile, kMostTile),
      "largest part of a picture that the network sees at once; auto: all of it, or what memory "
      "holds",
      kPicture,
      [](Job& job, const std::string& text) { return parse_tile(text, job.stream.tile); },
      [](const Job& job) { return print_tile(job.stream.tile); }));
  keys.push_back(number_key("stream.tile_overlap",
                            "pixels that neighbouring tiles share and fade across",
                            kPicture,
                            0,
                            512,
                            VSR_FIELD(stream.tile_overlap)));
  keys.push_back(choice_key<FeatureMemory>(
      "stream.features",
      "where the features of a window's frames are kept; host: in pinned memory, for windows that "
      "the GPU does not hold",
      Affects::kNothing,
      {{"device", FeatureMemory::kDevice}, {"host", FeatureMemory::kHost}},
      VSR_FIELD(stream.features)));
  keys.push_back(number_key("stream.prefetch",
                            "decoded frames kept ready",
                            Affects::kNothing,
                            1,
                            1000,
                            VSR_FIELD(stream.prefetch)));
  keys.push_back(choice_key<DeviceChoice>(
      "stream.device",
      "auto: a GPU if there is one",
      Affects::kNothing,
      {{"auto", DeviceChoice::kAuto}, {"cpu", DeviceChoice::kCpu}, {"cuda", DeviceChoice::kCuda}},
      VSR_FIELD(stream.device)));
  keys.push_back(
      choice_key<DecodeChoice>("stream.decode",
                               "what decodes the film; nvdec: the decoder of an NVIDIA GPU",
                               kPicture,
                               {{"cpu", DecodeChoice::kCpu}, {"nvdec", DecodeChoice::kNvdec}},
                               VSR_FIELD(stream.decode)));
  keys.push_back(number_key("segment.frames",
                            "length of a segment, the unit of work and of resuming",
                            kPicture,
                            1,
                            100000,
                            VSR_FIELD(segment.frames)));
  keys.push_back(choice_key<bool>("segment.scene_cuts",
                                  "end a segment at a cut between scenes where one is within a "
                                  "quarter of segment.frames",
                                  kPicture,
                                  kOnOff,
                                  VSR_FIELD(segment.scene_cuts)));
  keys.push_back(choice_key<SegmentCodec>("segment.codec",
                                          "codec of the segment mezzanines; none: segments are "
                                          "encoded for the film at once",
                                          kPicture,
                                          {{"prores", SegmentCodec::kProres},
                                           {"dnxhr", SegmentCodec::kDnxhr},
                                           {"ffv1", SegmentCodec::kFfv1},
                                           {"png", SegmentCodec::kPng},
                                           {"none", SegmentCodec::kNone}},
                                          VSR_FIELD(segment.codec)));
  keys.push_back(
      choice_key<SegmentSize>("segment.size",
                              "size of the mezzanines: the network's own, or the master's "
                              "(final.height), by Lanczos on the "
                              "GPU",
                              kPicture,
                              {{"full", SegmentSize::kFull}, {"final", SegmentSize::kFinal}},
                              VSR_FIELD(segment.size)));
  keys.push_back(choice_key<SegmentEncoder>(
      "segment.encoder",
      "what encodes ProRes mezzanines; auto: the GPU where the fused network runs, else the CPU",
      kPicture,
      {{"auto", SegmentEncoder::kAuto},
       {"cpu", SegmentEncoder::kCpu},
       {"gpu", SegmentEncoder::kGpu}},
      VSR_FIELD(segment.encoder)));
  keys.push_back(choice_key<bool>("segment.keep",
                                  "keep the mezzanines once the film is made",
                                  Affects::kNothing,
                                  kOnOff,
                                  VSR_FIELD(segment.keep)));
}

void add_final_keys(std::vector<JobKey>& keys) {
  constexpr Affects kFinal = Affects::kFinal;
  keys.push_back(number_key("final.height",
                            "height of the master; the width follows and is even",
                            kFinal,
                            64,
                            16384,
                            VSR_FIELD(final.height),
                            "native"));
  keys.push_back(rate_key(
      "final.fps",
      "24",
      "rate of the master: the same frames on another clock, sound and subtitles with them",
      kFinal,
      VSR_FIELD(final.fps)));
  keys.push_back(text_key("final.encoder",
                          "libx265, libx264, libsvtav1, hevc_nvenc, or copy",
                          "video encoder; copy: the mezzanines joined as they are",
                          kFinal,
                          VSR_FIELD(final.encoder)));
  keys.push_back(text_key("final.preset",
                          "auto, or a preset of the encoder",
                          "speed against size; auto: what suits the encoder",
                          kFinal,
                          VSR_FIELD(final.preset)));
  keys.push_back(special_key(
      "final.crf",
      "a number from 0 to 63",
      "constant quality on the encoder's own scale; lower is better and bigger",
      kFinal,
      [](Job& job, const std::string& text) {
        return parse_number(std::string_view(text), job.final.crf) && job.final.crf >= 0 &&
               job.final.crf <= 63;
      },
      [](const Job& job) { return format("{}", job.final.crf); }));
  keys.push_back(text_key("final.tune",
                          "auto, a tune of the encoder, or empty",
                          "what the encoder looks after; auto: grain where it knows that",
                          kFinal,
                          VSR_FIELD(final.tune)));
  keys.push_back(text_key("final.params",
                          "auto, name=value:name=value, or empty",
                          "further parameters of the encoder; auto: what suits it",
                          kFinal,
                          VSR_FIELD(final.params)));
  keys.push_back(special_key(
      "final.variants",
      "pitchOK, pitchLOW, or both with a comma",
      "how the sound follows the new clock: pitch kept, or lowered with the speed",
      kFinal,
      [](Job& job, const std::string& text) {
        std::vector<AudioVariant> variants;
        std::size_t begin = 0;
        while (true) {
          const std::size_t end = text.find(',', begin);
          std::string name = text.substr(begin, end - begin);
          while (!name.empty() && name.front() == ' ') name.erase(name.begin());
          while (!name.empty() && name.back() == ' ') name.pop_back();
          AudioVariant variant{};
          if (name == "pitchOK") {
            variant = AudioVariant::kPitchOk;
          } else if (name == "pitchLOW") {
            variant = AudioVariant::kPitchLow;
          } else {
            return false;
          }
          for (const AudioVariant known : variants) {
            if (known == variant) return false;
          }
          variants.push_back(variant);
          if (end == std::string::npos) break;
          begin = end + 1;
        }
        job.final.variants = variants;
        return true;
      },
      [](const Job& job) {
        std::string text;
        for (const AudioVariant variant : job.final.variants) {
          text += (text.empty() ? "" : ",") + to_string(variant);
        }
        return text;
      }));
  keys.push_back(text_key("final.audio_codec",
                          "ac3, eac3, aac, flac, or another audio encoder of FFmpeg",
                          "codec of retimed sound (sound that keeps its clock is copied)",
                          kFinal,
                          VSR_FIELD(final.audio_codec)));
  keys.push_back(special_key(
      "final.audio_bitrate",
      format("bits a second from {} to {}, as in 640k",
             print_bitrate(kLeastBitrate),
             print_bitrate(kMostBitrate)),
      "bit rate of retimed sound",
      kFinal,
      [](Job& job, const std::string& text) {
        return parse_bitrate(text, job.final.audio_bitrate);
      },
      [](const Job& job) { return print_bitrate(job.final.audio_bitrate); }));
}

void add_cluster_keys(std::vector<JobKey>& keys) {
  keys.push_back(choice_key<FinalEncode>(
      "cluster.final",
      "who makes the final encode: all ranks in chunks, one a "
      "segment, or rank 0 in one piece",
      Affects::kFinal,
      {{"distributed", FinalEncode::kDistributed}, {"central", FinalEncode::kCentral}},
      VSR_FIELD(cluster.final)));
  keys.push_back(choice_key<Storage>(
      "cluster.storage",
      "what the ranks see: all of them the film and run.dir, or rank 0 alone, which reads for the "
      "others and takes what they make",
      Affects::kNothing,
      {{"shared", Storage::kShared}, {"local", Storage::kLocal}},
      VSR_FIELD(cluster.storage)));
  keys.push_back(text_key("cluster.scratch",
                          "a folder",
                          "where the other ranks work with storage=local, each on its own host; "
                          "empty: scratch in run.dir",
                          Affects::kNothing,
                          VSR_FIELD(cluster.scratch),
                          true));
  keys.push_back(special_key(
      "cluster.encoders",
      "auto, or 0 to 256",
      "chunks that a rank encodes at once; auto: one for two cores, as memory allows",
      Affects::kNothing,
      [](Job& job, const std::string& text) {
        if (text == "auto") {
          job.cluster.encoders = -1;
          return true;
        }
        return parse_number(text, job.cluster.encoders) && job.cluster.encoders >= 0 &&
               job.cluster.encoders <= 256;
      },
      [](const Job& job) {
        return job.cluster.encoders < 0 ? std::string("auto") : format("{}", job.cluster.encoders);
      }));
  keys.push_back(number_key("cluster.patience",
                            "seconds that a rank, or another job at work in the same run.dir, may "
                            "give no sign of life before its work goes to others; the same in all "
                            "jobs that share a run",
                            Affects::kNothing,
                            5,
                            3600,
                            VSR_FIELD(cluster.patience_s)));
}

void add_quality_keys(std::vector<JobKey>& keys) {
  keys.push_back(choice_key<bool>("quality.measure",
                                  "measure upscaled pictures against the film's, and warn",
                                  Affects::kNothing,
                                  kOnOff,
                                  VSR_FIELD(quality.measure)));
  keys.push_back(number_key("quality.every",
                            "measure one frame of so many; auto: all",
                            Affects::kNothing,
                            1,
                            100000,
                            VSR_FIELD(quality.every),
                            "auto"));
  keys.push_back(special_key(
      "quality.warn_below",
      "decibels from 0 to 99",
      "warn of pictures that, made small again, are further from the film's; 0: of none",
      Affects::kNothing,
      [](Job& job, const std::string& text) {
        return parse_number(std::string_view(text), job.quality.warn_below_db) &&
               job.quality.warn_below_db >= 0 && job.quality.warn_below_db <= 99;
      },
      [](const Job& job) { return format("{}", job.quality.warn_below_db); }));
}

std::vector<JobKey> make_keys() {
  std::vector<JobKey> keys;
  add_input_keys(keys);
  add_preprocess_keys(keys);
  add_network_keys(keys);
  add_final_keys(keys);
  add_cluster_keys(keys);
  add_quality_keys(keys);
  keys.push_back(
      text_key("run.dir",
               "a folder",
               "where everything of this run is kept; empty: runs/<name of the job file>",
               Affects::kNothing,
               VSR_FIELD(run.dir),
               true));
  keys.push_back(
      choice_key<bool>("run.resume",
                       "go on with what the folder holds; off: refuse a folder that holds a run",
                       Affects::kNothing,
                       kOnOff,
                       VSR_FIELD(run.resume)));
  keys.push_back(special_key(
      "run.keep_free",
      "auto, or megabytes from 0 to 1000000000",
      "room that is left on the disk of run.dir: a run that has no more pauses, and goes on when "
      "there is; auto: 1000, or a fiftieth of a small disk",
      Affects::kNothing,
      [](Job& job, const std::string& text) {
        if (text == "auto") {
          job.run.keep_free_mb = -1;
          return true;
        }
        return parse_number(text, job.run.keep_free_mb) && job.run.keep_free_mb >= 0 &&
               job.run.keep_free_mb <= 1'000'000'000;
      },
      [](const Job& job) {
        return job.run.keep_free_mb < 0 ? std::string("auto") : format("{}", job.run.keep_free_mb);
      }));
  keys.push_back(text_key("status.listen",
                          "auto, off, or ADDRESS:PORT",
                          "where rank 0 has a page that tells how the run is; auto: "
                          "127.0.0.1:8080, or another port where that is taken",
                          Affects::kNothing,
                          VSR_FIELD(status.listen)));
  keys.push_back(text_key("status.token_file",
                          "a file",
                          "its first line is asked of everybody who wants to see the page; has to "
                          "be given (or VSR_STATUS_TOKEN) where other hosts reach it",
                          Affects::kNothing,
                          VSR_FIELD(status.token_file),
                          true));
  return keys;
}

#undef VSR_FIELD

}  // namespace

const std::vector<JobKey>& job_keys() {
  static const std::vector<JobKey> keys = make_keys();
  return keys;
}

void apply_preset(Preset preset, Job& job) {
  if (preset != Preset::kPalDvd) return;
  // 720x576 with 16:9 pixels spread to square ones; PAL tags to bt709, which every player assumes
  // of a 1440-line picture. The crop depends on the film and stays with the job.
  job.preprocess.preset = preset;
  job.preprocess.deinterlace = Deinterlace::kBwdif;
  job.preprocess.parity = FieldParity::kTop;
  job.preprocess.width = 1024;
  job.preprocess.height = 576;
  job.preprocess.matrix_in = Matrix::kBt601;
  job.preprocess.matrix_out = Matrix::kBt709;
}

}  // namespace vsr
