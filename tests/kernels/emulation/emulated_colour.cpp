// The device code of the kernels on whole pictures, compiled as C++.
#include "cuda/lanczos.cu"
#include "cuda/planes_to_rgb.cu"
#include "cuda/rgb_to_planes.cu"
#include "cuda/tiles.cu"
