// What is measured of a segment's frames, and the pictures that show how they look. Plain values;
// they travel in the segment's record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vsr {

// A value for each frame of the core, in order; NaN: not measured. Each list is empty where nothing
// of its kind was measured. How each is found: docs/quality.md.
struct FrameMeasures {
  // Seconds that the frame had of each stage. Of the network: its window's time, shared evenly.
  std::vector<float> decode_s;
  std::vector<float> network_s;
  std::vector<float> encode_s;
  std::vector<float> luma_mean;           // of the upscaled picture, 0..1 (black..white)
  std::vector<float> sharpness;           // root mean square of its luma's gradient, a pixel
  std::vector<float> sharpness_gain;      // sharpness over that of the source enlarged by bicubic
  std::vector<float> back_projection_db;  // PSNR of the picture, made as small as the source, to it

  bool operator==(const FrameMeasures&) const = default;
};

// One frame before and after, as JPEG files.
struct Preview {
  std::int64_t frame = 0;  // of the timeline
  std::string kind;        // "middle": of the segment; "worst": the lowest back-projection in it
  std::string before;      // the source, enlarged by bicubic to the size of `after`
  std::string after;       // the upscaled picture, made smaller to fit
  // The same place of both, a pixel of the upscaled picture as a pixel; empty where not kept.
  std::string detail_before;
  std::string detail_after;

  bool operator==(const Preview&) const = default;
};

}  // namespace vsr
