// A libavfilter graph between decoded pictures and the pictures of a timeline.
//
// Whatever comes in, what comes out has one format and size: the graph's own output, made planar
// where it is not; and when the film changes its size or pixel format on the way, the graph is
// drained, built anew for the new pictures, and its output scaled back to the first size.
#pragma once

#include "av.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace vsr::media {

struct FilterSettings {
  std::string filters;               // the user's graph; empty: none
  AVRational time_base{1, 1};        // of the pictures sent
  AVRational rate{25, 1};            // told to filters that ask
  ColourDescription colour;          // of the pictures sent, over what they say themselves
  AVRational sample_aspect{1, 1};    // likewise
  bool out_full_range = false;       // what conversions put in here have to end in
  std::optional<PictureFormat> out;  // unset: what the graph gives for the first picture
  int threads = 0;                   // 0: as many as this process may use
};

// What is known of the output once the first picture was sent.
struct FilterOutput {
  PictureFormat format;
  AVPixelFormat pixels = AV_PIX_FMT_NONE;  // may be the yuvj twin of format
  bool exact = true;                       // false: chroma was interpolated to 4:4:4
  AVRational time_base{1, 1};
  AVRational rate{0, 1};
  AVRational sample_aspect{1, 1};
};

class PictureFilter {
 public:
  explicit PictureFilter(FilterSettings settings);

  // Takes the picture's reference. Throws Error(kUsage) when the graph cannot be made for it (a
  // name or option FFmpeg does not know, or not for such pictures; a crop that does not fit).
  // REQUIRES: receive() has given null since the last send().
  void send(FramePtr frame);
  // The film has ended; what the graph still holds comes out of receive(). `last_duration`: how
  // long its last picture is shown, in time_base; 0: as settings.rate says. REQUIRES: as send().
  void finish(std::int64_t last_duration = 0);
  // Null: nothing before the next send(). pts are in output().time_base. Throws Error(kUsage) when
  // the graph makes pictures without end.
  FramePtr receive();

  const FilterOutput& output() const { return output_; }

  // Whether pictures of another size than the film's first had to be scaled back.
  bool scaled_back() const { return scaled_back_; }

 private:
  struct BuiltGraph {
    GraphPtr graph;
    AVFilterContext* source = nullptr;
    AVFilterContext* sink = nullptr;
  };

  // What has to follow the user's filters.
  struct Conversion {
    std::string size;  // "width:height:"; empty: as it is
    AVPixelFormat pixels = AV_PIX_FMT_NONE;

    bool empty() const { return size.empty() && pixels == AV_PIX_FMT_NONE; }
  };

  BuiltGraph build(const AVFrame& first, const Conversion& conversion) const;
  void open(const AVFrame& first);
  void add(FramePtr frame);
  void close(std::int64_t end_pts);
  FramePtr from_graph();

  FilterSettings settings_;
  FilterOutput output_;
  BuiltGraph built_;
  int width_ = 0;
  int height_ = 0;
  int pixels_ = AV_PIX_FMT_NONE;
  bool scaled_back_ = false;
  bool finished_ = false;
  FramePtr waiting_;  // for the graph before it, of other pictures, to run dry
  std::int64_t last_pts_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t received_ = 0;
};

// The graph of a text, unconnected. Throws Error(kUsage) where temporal_radius() does.
GraphPtr parsed_graph(const std::string& filters);

// How many pictures before and after a picture the graph looks at. Nothing: it has no known bound,
// or keeps a count of pictures, so that it has to see the film from its start. Throws Error(kUsage)
// for a text that is no graph.
std::optional<int> temporal_radius(const std::string& filters);

// Throws Error(kUsage) for a crop in a configured graph that reaches outside its picture or, in a
// picture with fewer chroma samples, does not begin and end between two of them: FFmpeg would move
// and shrink it without a word. Numbers are looked at, expressions and exact=1 are the user's own.
void check_crops(const AVFilterGraph& graph);

// Colour of what came out of a graph, from the tags of its first picture `out`, given that pictures
// of `in` went in. A graph that converts the matrix and leaves primaries and transfer untouched
// (the recipe's zscale) gets the usual ones of its new matrix.
ColourDescription colour_after(const AVFrame& out,
                               const ColourDescription& in,
                               const PictureFormat& in_format);

}  // namespace vsr::media
