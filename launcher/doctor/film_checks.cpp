#include "doctor/checks.hpp"
#include "embedded_model.hpp"
#include "planning.hpp"
#include "vsr/base/format.hpp"
#include "vsr/media/codecs.hpp"
#include "vsr/media/source.hpp"
#include "vsr/model/selftest.hpp"
#include "vsr/store/golden_file.hpp"

#include <algorithm>

namespace vsr::launcher::doctor {

namespace {

bool taken(const StreamChoice& choice, int number) {
  using Kind = StreamChoice::Kind;
  return choice.kind == Kind::kAll || (choice.kind == Kind::kFirst && number == 0) ||
         std::find(choice.list.begin(), choice.list.end(), number) != choice.list.end();
}

}  // namespace

Check check_encoders(const FinalOptions& wanted) {
  std::string there;
  std::string missing;
  const auto look = [&](const std::string& name) {
    // What the job calls opus is not FFmpeg's own encoder of that name, which is an experiment.
    const bool found = media::has_encoder(name == "opus" ? "libopus" : name);
    (found ? there : missing) += " " + name;
    return found;
  };
  const bool picture = wanted.encoder == "copy" || look(wanted.encoder);
  const bool sound = look(wanted.audio_codec);
  for (const char* name : {"libx265", "ac3", "libx264", "libsvtav1", "hevc_nvenc"}) {
    if (name != wanted.encoder && name != wanted.audio_codec) look(name);
  }
  const std::string lacking = missing.empty() ? " none" : missing;
  return unless(
      picture && sound,
      failure("encoders",
              ErrorCode::kUsage,
              format("there:{}; not there:{}", there, lacking),
              "choose another " + std::string(picture ? "final.audio_codec" : "final.encoder") +
                  ", or install FFmpeg libraries that have it"));
}

Check check_input(const InputOptions& input) {
  const media::SourceInfo source = media::probe(input.file);
  std::string missing;
  int sounds = 0;
  for (const media::StreamInfo& stream : source.streams) {
    const bool sound = stream.kind == media::StreamKind::kAudio;
    const bool wanted =
        stream.index == source.video.stream || (sound && taken(input.audio, sounds));
    sounds += sound ? 1 : 0;
    if (wanted && !media::has_decoder(stream.codec)) missing += " " + stream.codec;
  }
  const std::string seen = format("{}: {}, {} at {} fps, {:.0f} s, sound tracks: {}",
                                  input.file,
                                  source.video.codec,
                                  to_string(source.video.format),
                                  to_string(source.video.rate),
                                  source.duration_s,
                                  sounds);
  return unless(missing.empty(),
                failure("input",
                        ErrorCode::kInput,
                        seen,
                        "install FFmpeg libraries with decoders for" + missing +
                            ", or leave the track out (input.audio)"));
}

Check check_model(const ModelOptions& options) {
  return ok("model", options.checkpoint + ": " + read_checkpoint(options.checkpoint).describe());
}

Check check_network(DeviceChoice device, const Place& place) {
  model::NetworkOptions options;
  options.device = choose_device(device, place.local_rank);
  options.cpu_threads = cpus_of_rank(place.local_size);
  const EmbeddedModel embedded = embedded_model();
  const auto golden = store::read_golden(embedded.golden, embedded.name);
  const auto result = model::selftest(read_checkpoint("embedded"), options, golden);
  return unless(result.passed,
                failure("network",
                        ErrorCode::kModel,
                        format("{} on {}: {:.1e} at most from what it should be, {:.2f} s",
                               embedded.name,
                               options.device.cuda ? "the GPU" : "the processor",
                               result.rows.front().max_abs_error,
                               result.seconds),
                        "do not trust pictures made here; 'vsr-dist selftest' tells more"));
}

}  // namespace vsr::launcher::doctor
