// How the weights of SPyNet's convolutions lie in memory on Hopper; what kernels and packing share.
#pragma once

namespace vsr::kernels {

// Note [Several rows of outputs in one product]
// The tensor cores make 64 lines of results at a time. With fewer outputs than that the lines are
// the outputs of several rows of the picture, one below the other: a row of input pixels is applied
// at once to all the rows of outputs within its reach, each with the row of the kernel that it
// needs. For these to be one matrix, a tile of weights is an array of kernel rows from the last to
// the first, `row_lines` lines each, with zeros before and after: the 64 lines that begin
// `row_lines` earlier are what the next input row needs.
//
// A line is 16 products wide, in two columns of 8 (16 bytes) that lie one after the other. A tile
// is for one dx and 16 channels; where there are 8 inputs, for two neighbouring dx.
//
// Two outputs alone would be 32 rows at a time, more than a small picture has. There the seven dx
// are lines as well: line 2 dx + o holds, at an input pixel, what that pixel gives to output o of
// the pixel 3 - dx to its right; what belongs to one pixel is added up afterwards.
struct FlowConvLayout {
  static constexpr int kKernel = 7;

  constexpr FlowConvLayout(int in, int out)
      : inputs(in),
        outputs(out),
        part(out >= 32 && in >= 32 ? in / 2 : in),
        row_lines(out == 2 ? 16 : out),
        rows(64 / row_lines),
        input_rows(kKernel - 1 + rows),
        lines(row_lines * (input_rows + rows - 1)),
        first_line(row_lines * (input_rows - 1)),
        tile_elements(lines * 16),
        tiles_a_part(out == 2  ? 1
                     : in == 8 ? (kKernel + 1) / 2
                               : kKernel * part / 16),
        tiles(in / part * tiles_a_part) {}

  int inputs;
  int outputs;
  int part;        // channels that are summed over before the next ones: what is brought together
  int row_lines;   // of a row of outputs
  int rows;        // of outputs in one product
  int input_rows;  // that these need
  int lines;       // of a tile
  int first_line;  // of the 64 for the first input row; the next one's begin `row_lines` before
  int tile_elements;
  int tiles_a_part;
  int tiles;
};

}  // namespace vsr::kernels
