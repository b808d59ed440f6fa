#include "decode_anywhere.hpp"

namespace vsr::media {
namespace {

INSTANTIATE_TEST_SUITE_P(
    MoreFilms,
    DecodeAnywhere,
    ::testing::Values(
        Case{"ProRes", "a.mov", false, "yuv422p10", "-c:v prores_ks", ""},
        Case{"H264OpenGopMkv", "a.mkv", false, "yuv420p", kOpenGops, ""},
        Case{"H264OpenGopMp4NegativeCts",
             "a.mp4",
             false,
             "yuv420p",
             "-c:v libx264 -x264-params open-gop=1:keyint=12:bframes=3 -movflags "
             "+negative_cts_offsets",
             ""},
        Case{"Mpeg2Vob", "a.vob", true, "yuv420p", kMpeg2, ""},
        Case{"Mpeg2Ts", "a.ts", true, "yuv420p", kMpeg2, ""},
        Case{"Mpeg4Avi", "a.avi", false, "yuv420p", "-c:v mpeg4 -b:v 2M -g 12 -bf 2", ""},
        Case{"Vp9Webm",
             "a.webm",
             false,
             "yuv420p",
             "-c:v libvpx-vp9 -g 12 -b:v 1M -deadline realtime -cpu-used 8",
             ""},
        Case{"Ffv1Mkv", "a.mkv", false, "yuv444p12", "-c:v ffv1", "hflip"},
        Case{"Mpeg2VobFlagged",
             "a.vob",
             true,
             "yuv420p",
             kMpeg2,
             "bwdif=mode=send_frame:parity=auto:deint=interlaced"},
        Case{"H264FieldsTsFlagged",
             "a.ts",
             true,
             "yuv420p",
             "-c:v libx264 -flags +ildct -x264-params tff=1:keyint=12:bframes=2",
             "bwdif=mode=send_frame:parity=auto:deint=interlaced"}),
    [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace vsr::media
