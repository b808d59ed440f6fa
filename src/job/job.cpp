#include "vsr/job/job.hpp"

namespace vsr {

std::string to_string(DeviceChoice device) {
  switch (device) {
    case DeviceChoice::kAuto:
      return "auto";
    case DeviceChoice::kCpu:
      return "cpu";
    case DeviceChoice::kCuda:
      return "cuda";
  }
  return "unknown";
}

std::string to_string(SegmentCodec codec) {
  switch (codec) {
    case SegmentCodec::kProres:
      return "prores";
    case SegmentCodec::kDnxhr:
      return "dnxhr";
    case SegmentCodec::kFfv1:
      return "ffv1";
    case SegmentCodec::kPng:
      return "png";
    case SegmentCodec::kNone:
      return "none";
  }
  return "unknown";
}

std::string to_string(AudioVariant variant) {
  switch (variant) {
    case AudioVariant::kPitchOk:
      return "pitchOK";
    case AudioVariant::kPitchLow:
      return "pitchLOW";
  }
  return "unknown";
}

}  // namespace vsr
