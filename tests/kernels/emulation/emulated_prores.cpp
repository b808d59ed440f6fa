// The ProRes encoder of src/kernels, compiled as C++.
#include "cuda/prores_encode.cu"
