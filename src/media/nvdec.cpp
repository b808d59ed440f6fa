#include "nvdec.hpp"

#include "vsr/base/format.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace vsr::media {

namespace {

// Those whose pictures are defined to the bit, and MPEG-1 and 2, where NVDEC and FFmpeg agree on
// what the standard leaves open.
constexpr AVCodecID kSamePictures[] = {AV_CODEC_ID_MPEG1VIDEO,
                                       AV_CODEC_ID_MPEG2VIDEO,
                                       AV_CODEC_ID_H264,
                                       AV_CODEC_ID_HEVC,
                                       AV_CODEC_ID_VC1,
                                       AV_CODEC_ID_VP8,
                                       AV_CODEC_ID_VP9};

// AVCUDADeviceContext, whose header (libavutil/hwcontext_cuda.h) needs those of CUDA. It is public
// and has been the same from FFmpeg 4 to 7.
struct CudaDeviceContext {
  void* cuda_ctx;
  void* stream;
  void* internal;
};

// The form of the pictures that NVDEC leaves in the GPU's memory.
struct NvdecForm {
  AVPixelFormat av;
  bool semi_planar;
  int sample_bits;  // of the memory
};

constexpr NvdecForm kForms[] = {{AV_PIX_FMT_NV12, true, 8},
                                {AV_PIX_FMT_P010LE, true, 16},
                                {AV_PIX_FMT_P016LE, true, 16},
                                {AV_PIX_FMT_YUV444P, false, 8},
                                {AV_PIX_FMT_YUV444P16LE, false, 16}};

// Throws Error(kUsage) where the form does not hold pictures of that format.
SampleForm form_for(AVPixelFormat found, const PictureFormat& wanted) {
  for (const NvdecForm& form : kForms) {
    const ChromaSubsampling chroma =
        form.semi_planar ? ChromaSubsampling::k420 : ChromaSubsampling::k444;
    const bool wide = form.sample_bits == 16;
    if (form.av == found && wanted.model == ColourModel::kYuv && wanted.subsampling == chroma &&
        wide == (wanted.bit_depth > 8)) {
      return {.semi_planar = form.semi_planar, .shift_bits = wide ? 16 - wanted.bit_depth : 0};
    }
  }
  throw Error(
      ErrorCode::kUsage,
      format("stream.decode = nvdec: pictures in {} came as {}, which is not supported; set "
             "stream.decode = cpu",
             to_string(wanted),
             format_name(found)));
}

PictureFormat format_wanted(AVPixelFormat wanted, int width, int height) {
  const auto known = picture_format(wanted, width, height);
  if (known) return *known;
  throw Error(ErrorCode::kUsage,
              format("stream.decode = nvdec: pictures in {} are not supported; set stream.decode = "
                     "cpu",
                     format_name(wanted)));
}

// FFmpeg's own decoders cut pictures at the left and the top by moving the planes' beginning, and
// less far where that would break their alignment; pictures on a GPU keep all of it.
void refuse_offset(const AVFrame& frame) {
  if (frame.crop_left == 0 && frame.crop_top == 0) return;
  throw Error(ErrorCode::kUsage,
              format("stream.decode = nvdec: the film's pictures are cut by {} columns at the left "
                     "and {} rows at the top, which is not supported; set stream.decode = cpu",
                     frame.crop_left,
                     frame.crop_top));
}

bool uses_nvdec(const AVCodec& decoder) {
  for (int i = 0;; ++i) {
    const AVCodecHWConfig* config = avcodec_get_hw_config(&decoder, i);
    if (config == nullptr) return false;
    if (config->device_type == AV_HWDEVICE_TYPE_CUDA && config->pix_fmt == AV_PIX_FMT_CUDA &&
        (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) != 0) {
      return true;
    }
  }
}

BufferPtr open_gpu(const std::string& path, const DecodeDevice& device) {
  LogCapture log;
  AVBufferRef* opened = nullptr;
  int result = 0;
  if (device.cuda_context == nullptr) {
    result = av_hwdevice_ctx_create(
        &opened, AV_HWDEVICE_TYPE_CUDA, std::to_string(device.gpu).c_str(), nullptr, 0);
  } else {
    opened = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    if (opened == nullptr) {
      result = AVERROR(ENOSYS);
    } else {
      auto* context = reinterpret_cast<AVHWDeviceContext*>(opened->data);
      static_cast<CudaDeviceContext*>(context->hwctx)->cuda_ctx = device.cuda_context;
      result = av_hwdevice_ctx_init(opened);
    }
  }
  BufferPtr gpu(opened);
  if (result >= 0) return gpu;
  const std::string reason = log.text();
  throw Error(ErrorCode::kGpu,
              format("{}: stream.decode = nvdec, but GPU {} cannot be used to decode: {}; set "
                     "stream.decode = cpu",
                     path,
                     device.gpu,
                     reason.empty() ? av_error_text(result) : reason));
}

}  // namespace

const AVCodec& nvdec_decoder(const std::string& path, AVCodecID codec) {
  const char* name = avcodec_get_name(codec);
  if (std::find(std::begin(kSamePictures), std::end(kSamePictures), codec) ==
      std::end(kSamePictures)) {
    std::string names;
    for (const AVCodecID one : kSamePictures) {
      names += format("{}{}", names.empty() ? "" : ", ", avcodec_get_name(one));
    }
    throw Error(ErrorCode::kUsage,
                format("{}: stream.decode = nvdec is for films in {}, this one is in {}; set "
                       "stream.decode = cpu",
                       path,
                       names,
                       name));
  }
  void* position = nullptr;
  while (const AVCodec* decoder = av_codec_iterate(&position)) {
    if (decoder->id == codec && av_codec_is_decoder(decoder) != 0 && uses_nvdec(*decoder) &&
        (decoder->capabilities & AV_CODEC_CAP_HARDWARE) == 0) {  // NVIDIA's own, *_cuvid
      return *decoder;
    }
  }
  throw Error(ErrorCode::kUsage,
              format("{}: stream.decode = nvdec, but this FFmpeg was built without it for {}; set "
                     "stream.decode = cpu",
                     path,
                     name));
}

void refuse_half_rows(const AVFrame& picture, AVCodecID codec) {
  const int rows = (picture.height + 15) / 16;
  if (codec != AV_CODEC_ID_MPEG2VIDEO || !frame_is_interlaced(picture) || rows % 2 == 0) return;
  throw Error(
      ErrorCode::kUsage,
      format("stream.decode = nvdec: interlaced MPEG-2 of {} lines, an odd number of rows of "
             "16, comes out wrong at the bottom; set stream.decode = cpu",
             picture.height));
}

AVPixelFormat NvdecChoice::choose(const AVPixelFormat* offered, const std::string& codec) {
  // A decoder that got no answer may ask with every picture; the first reason is the one.
  if (!refusal_.empty()) return AV_PIX_FMT_NONE;
  std::vector<AVPixelFormat> others;
  bool nvdec = false;
  for (; *offered != AV_PIX_FMT_NONE; ++offered) {
    if (*offered == AV_PIX_FMT_CUDA) {
      nvdec = true;
    } else if (std::find(others.begin(), others.end(), *offered) == others.end()) {
      others.push_back(*offered);
    }
  }
  // A decoder that could not set up what it was told asks again without it (FFmpeg 5.1 then has the
  // last format twice).
  const bool again = !nvdec && !others.empty() && others == last_offer_;
  last_offer_ = nvdec ? others : std::vector<AVPixelFormat>();
  if (nvdec) return AV_PIX_FMT_CUDA;
  const std::string own = others.empty() ? "no format" : format_name(others.back());
  refused_by_gpu_ = again;
  refusal_ = again ? format("this GPU does not decode {} of this kind in {}", codec, own)
                   : format("NVDEC does not decode {} in {}", codec, own);
  return AV_PIX_FMT_NONE;
}

FramePtr planar_of(const AVFrame& picture, AVPixelFormat wanted) {
  refuse_offset(picture);
  const PictureFormat format = format_wanted(wanted, picture.width, picture.height);
  const SampleForm form = form_for(static_cast<AVPixelFormat>(picture.format), format);
  FramePtr made = make_frame();
  made->format = wanted;
  made->width = picture.width;
  made->height = picture.height;
  check_av(av_frame_get_buffer(made.get(), 0), ErrorCode::kInternal, "allocating a picture");
  check_av(av_frame_copy_props(made.get(), &picture), ErrorCode::kInternal, "copying a picture");
  PictureView samples{.format = format};
  for (std::size_t i = 0; i < 3; ++i) {
    samples.planes[i] = reinterpret_cast<const std::byte*>(picture.data[i]);
    samples.pitch_bytes[i] = picture.linesize[i];
  }
  copy_picture(samples, form, mutable_view_of(*made));
  return made;
}

Nvdec::Nvdec(std::string path, DecodeDevice device)
    : path_(std::move(path)), device_(std::move(device)) {}

AVPixelFormat Nvdec::get_format(AVCodecContext* decoder, const AVPixelFormat* offered) {
  try {
    return static_cast<Nvdec*>(decoder->opaque)
        ->choice_.choose(offered, avcodec_get_name(decoder->codec_id));
  } catch (...) {  // called from C: out of memory for a message
    return AV_PIX_FMT_NONE;
  }
}

void Nvdec::attach(AVCodecContext& decoder) {
  if (!gpu_) gpu_ = open_gpu(path_, device_);
  decoder.hw_device_ctx = av_buffer_ref(gpu_.get());
  if (decoder.hw_device_ctx == nullptr) throw Error(ErrorCode::kInternal, "out of memory");
  decoder.opaque = this;
  decoder.get_format = get_format;
  decoder.thread_count = 1;  // the work is the GPU's; and so get_format() is called on this thread
  // Beside what is held outside: the picture given last and the one to come (SourcePictures).
  if (device_.stay_on_gpu) decoder.extra_hw_frames = DevicePicture::kMostHeld + 2;
  choice_ = {};
}

void Nvdec::check(const std::string& log) const {
  if (choice_.refusal().empty()) return;
  const bool gpu = choice_.refused_by_gpu();
  throw Error(gpu ? ErrorCode::kGpu : ErrorCode::kUsage,
              format("{}: stream.decode = nvdec: {}{}; set stream.decode = cpu",
                     path_,
                     choice_.refusal(),
                     gpu && !log.empty() ? format(" ({})", log) : std::string()));
}

FramePtr Nvdec::picture(FramePtr frame, const AVCodecContext& decoder) const {
  if (!is_on_gpu(*frame)) {
    throw Error(ErrorCode::kInternal,
                format("{}: NVDEC was asked for a picture, which came in {}",
                       path_,
                       format_name(static_cast<AVPixelFormat>(frame->format))));
  }
  refuse_half_rows(*frame, decoder.codec_id);
  if (device_.stay_on_gpu) return frame;
  return to_host(*frame, decoder.sw_pix_fmt);
}

FramePtr Nvdec::to_host(const AVFrame& frame, AVPixelFormat wanted) const {
  const FramePtr copy = make_frame();
  check_av(av_hwframe_transfer_data(copy.get(), &frame, 0),
           ErrorCode::kGpu,
           path_ + ": a picture cannot be copied from the GPU");
  check_av(av_frame_copy_props(copy.get(), &frame), ErrorCode::kInternal, "copying a picture");
  return planar_of(*copy, wanted);
}

bool is_on_gpu(const AVFrame& frame) {
  return frame.format == AV_PIX_FMT_CUDA && frame.hw_frames_ctx != nullptr;
}

DevicePicture device_picture(const AVFrame& frame, AVPixelFormat wanted) {
  refuse_offset(frame);
  const auto* frames = reinterpret_cast<const AVHWFramesContext*>(frame.hw_frames_ctx->data);
  const auto* cuda = static_cast<const CudaDeviceContext*>(frames->device_ctx->hwctx);
  DevicePicture picture;
  picture.view.format = format_wanted(wanted, frame.width, frame.height);
  picture.form = form_for(frames->sw_format, picture.view.format);
  for (std::size_t i = 0; i < (picture.form.semi_planar ? 2u : 3u); ++i) {
    picture.view.planes[i] = reinterpret_cast<const std::byte*>(frame.data[i]);
    picture.view.pitch_bytes[i] = frame.linesize[i];
  }
  picture.cuda_context = cuda->cuda_ctx;
  picture.stream = cuda->stream;
  FramePtr held(av_frame_clone(&frame));
  if (!held) throw Error(ErrorCode::kInternal, "out of memory");
  picture.owner = std::shared_ptr<const AVFrame>(std::move(held));
  return picture;
}

}  // namespace vsr::media
