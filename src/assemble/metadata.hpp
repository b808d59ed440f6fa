// What the source says about itself and the film goes on saying: titles, languages, dispositions,
// chapters, attachments, cover art, light levels. What would be untrue of the film is left out.
#pragma once

#include "media/av.hpp"
#include "media/input.hpp"
#include "output_file.hpp"
#include "track.hpp"
#include "video_encoder.hpp"

#include <string>
#include <string_view>

namespace vsr::assemble {

// Whether a tag still holds for the film. Left out: the statistics that mkvmerge adds (BPS,
// DURATION, NUMBER_OF_FRAMES, ...), which count the source's packets; the brands of an MP4 file;
// for a stream made anew, who encoded it before.
enum class StreamContent { kCopied, kRemade };
bool keeps_tag(std::string_view key, StreamContent content);

// Language, title and the other tags, disposition.
void copy_stream_metadata(const AVStream& from, AVStream& to, StreamContent content);
// Title and the other tags of the whole file.
void copy_film_metadata(const AVFormatContext& from, AVFormatContext& to);
// Chapters at the film's times; in a part of the film those it has, cut to it.
void copy_chapters(const AVFormatContext& from, AVFormatContext& to, const FilmTimes& times);
// Attached files (fonts) and cover art, the latter as an attachment too, as Matroska wants it.
void copy_attachments(const AVFormatContext& from, OutputFile& to);

// From the container, else from the first pictures. Empty for a film whose pictures do not carry
// such light any more (`colour` is no longer PQ or HLG).
HdrMetadata read_hdr(const std::string& source,
                     const ColourDescription& colour,
                     const OpenBytes& open = {});

}  // namespace vsr::assemble
