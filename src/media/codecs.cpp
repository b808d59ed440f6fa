#include "vsr/media/codecs.hpp"

#include "av.hpp"

namespace vsr::media {

bool has_encoder(const std::string& name) {
  return avcodec_find_encoder_by_name(name.c_str()) != nullptr;
}

bool has_decoder(const std::string& codec) {
  const AVCodecDescriptor* descriptor = avcodec_descriptor_get_by_name(codec.c_str());
  return descriptor != nullptr && avcodec_find_decoder(descriptor->id) != nullptr;
}

}  // namespace vsr::media
