// What every user of FFmpeg's libraries in this project shares: owners for their objects, their
// failures as vsr::Error, their log lines in vsr::log, their formats and colour tags in our words.
// This is the one place that knows which version of FFmpeg is used (5.1 to 7.x).
//
// Private to src/media; src/assemble includes it as "media/av.hpp" through the target vsr_media_av.
// FFmpeg's log goes to vsr::log from program start on: its errors and warnings at kDebug (what the
// user has to know is said by our own messages), the rest at kTrace.
#pragma once

#include "vsr/base/error.hpp"
#include "vsr/base/picture.hpp"
#include "vsr/base/rational.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

namespace vsr::media {

// --- Owners ------------------------------------------------------------------------------------

struct AvDelete {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }

  void operator()(AVFrame* frame) const { av_frame_free(&frame); }

  void operator()(AVBufferRef* buffer) const { av_buffer_unref(&buffer); }

  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }

  void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }

  void operator()(AVCodecParserContext* parser) const { av_parser_close(parser); }

  void operator()(AVBSFContext* filter) const { av_bsf_free(&filter); }

  void operator()(AVFilterGraph* graph) const { avfilter_graph_free(&graph); }

  void operator()(AVFilterInOut* ends) const { avfilter_inout_free(&ends); }

  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }

  void operator()(SwrContext* resampler) const { swr_free(&resampler); }

  void operator()(AVAudioFifo* fifo) const { av_audio_fifo_free(fifo); }
};

template <typename T>
using AvPtr = std::unique_ptr<T, AvDelete>;
using PacketPtr = AvPtr<AVPacket>;
using FramePtr = AvPtr<AVFrame>;
using BufferPtr = AvPtr<AVBufferRef>;
using CodecPtr = AvPtr<AVCodecContext>;
using GraphPtr = AvPtr<AVFilterGraph>;

// Also closes what byte_io.hpp has opened for it.
struct CloseInput {
  void operator()(AVFormatContext* input) const;
};

// Closes the file it opened, if any; writes no trailer.
struct CloseOutput {
  void operator()(AVFormatContext* output) const;
};

using InputPtr = std::unique_ptr<AVFormatContext, CloseInput>;
using OutputPtr = std::unique_ptr<AVFormatContext, CloseOutput>;

// Options for FFmpeg's open functions, which take out what they know.
class Dictionary {
 public:
  Dictionary() = default;

  ~Dictionary() { av_dict_free(&entries_); }

  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;

  void set(const std::string& key, const std::string& value);

  AVDictionary** slot() { return &entries_; }

  // The first key left over after an open, i.e. not known there; empty: none.
  std::string first_key() const;

 private:
  AVDictionary* entries_ = nullptr;
};

// These never return null: they throw Error(kInternal), "out of memory".
PacketPtr make_packet();
FramePtr make_frame();

// --- Errors and log ----------------------------------------------------------------------------

// FFmpeg's words for a negative result.
std::string av_error_text(int result);
// Returns a result >= 0; else throws Error(code, "what: reason"). A full disk is kStorage whatever
// the code.
int check_av(int result, ErrorCode code, std::string_view what);

// Keeps what FFmpeg logs on this thread (warnings and errors) while it lives: graph parsers and
// encoders say only there which name they did not know. Nests.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  const std::vector<std::string>& lines() const { return lines_; }

  // The lines joined by "; ", at most three.
  std::string text() const;
  void add(std::string line);

  LogCapture* outer() const { return outer_; }

 private:
  std::vector<std::string> lines_;
  LogCapture* outer_;
};

// --- Numbers and pictures ----------------------------------------------------------------------

AVRational to_av(const Rational& value);
// `fallback` where the fraction has a zero.
Rational from_av(AVRational value, const Rational& fallback);

// The PictureFormat with the same samples, if there is one: planar, little endian, no alpha. The
// yuvj formats are among them; they mean full range.
std::optional<PictureFormat> picture_format(AVPixelFormat format, int width, int height);
// Where there must be one; throws Error(kInternal) else.
PictureFormat known_picture_format(AVPixelFormat format, int width, int height);
bool is_yuvj(AVPixelFormat format);
// The format with a PictureFormat that holds a decoder's or filter's pictures: itself, or the
// planar one of the same samples (nv12, p010, rgb24, big endian; alpha is dropped). `exact` is
// false where samples have to be made up: chroma of 4:1:1, 4:1:0 and 4:4:0 is interpolated to
// 4:4:4. Nothing for what has no such form: floating point, Bayer, XYZ, pictures in a GPU's memory.
std::optional<AVPixelFormat> planar_format(AVPixelFormat format, bool* exact = nullptr);
bool has_alpha(AVPixelFormat format);
// AV_PIX_FMT_NONE where FFmpeg has no such format.
AVPixelFormat av_pixel_format(const PictureFormat& format);
// "yuv420p"; "unknown".
std::string format_name(AVPixelFormat format);

// Nothing for what is unspecified or what we have no word for.
std::optional<Matrix> matrix_of(AVColorSpace space);
std::optional<ChromaSiting> siting_of(AVChromaLocation location);
AVColorSpace av_colour_space(const ColourDescription& colour, const PictureFormat& format);
AVChromaLocation av_siting(const ColourDescription& colour, const PictureFormat& format);
// Primaries and transfer (H.273) that go with a matrix where nothing else is said: bt709 1 and 1,
// bt601 5 and 6 (PAL) up from 576 lines, else 6 and 6, bt2020 9 and 14.
void set_usual_tags(ColourDescription& colour, int height);

// Writes all colour tags.
void tag_colour(AVFrame& frame, const ColourDescription& colour, const PictureFormat& format);
void tag_colour(AVCodecContext& codec,
                const ColourDescription& colour,
                const PictureFormat& format);
void tag_colour(AVCodecParameters& parameters,
                const ColourDescription& colour,
                const PictureFormat& format);

// The frame's own memory. Throws Error(kInternal) on a format without a PictureFormat.
PictureView view_of(const AVFrame& frame);
// A new frame with buffers for `format`, rows aligned for FFmpeg's filters and encoders.
FramePtr allocate_frame(const PictureFormat& format);
MutablePictureView mutable_view_of(AVFrame& frame);
// A frame over somebody else's picture, read-only. `give_back` is called once, when the last
// reference to the frame's memory is gone, on whatever thread that is; also when this throws.
FramePtr borrowed_frame(const PictureView& picture, std::function<void()> give_back);

// --- What differs between versions -------------------------------------------------------------

bool frame_is_interlaced(const AVFrame& frame);
bool frame_is_top_first(const AVFrame& frame);
bool frame_is_key(const AVFrame& frame);
std::int64_t frame_duration(const AVFrame& frame);
void set_frame_duration(AVFrame& frame, std::int64_t duration);
// Data of a whole stream (mastering display, display matrix, ...); empty: none.
std::span<const std::uint8_t> stream_side_data(const AVStream& stream, AVPacketSideDataType type);
void add_stream_side_data(AVStream& stream,
                          AVPacketSideDataType type,
                          std::span<const std::uint8_t> data);
// What an encoder takes; empty: anything.
std::vector<AVPixelFormat> encoder_pixel_formats(const AVCodec& codec);
std::vector<AVSampleFormat> encoder_sample_formats(const AVCodec& codec);
std::vector<int> encoder_sample_rates(const AVCodec& codec);
// The layouts live as long as the codec, which is for ever.
std::vector<const AVChannelLayout*> encoder_channel_layouts(const AVCodec& codec);

}  // namespace vsr::media
