// The device code of the colour and scaling kernels, compiled as C++.
#include "cuda/lanczos.cu"
#include "cuda/planes_to_rgb.cu"
#include "cuda/rgb_to_planes.cu"
