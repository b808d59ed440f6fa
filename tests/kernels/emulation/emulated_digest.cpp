// The digest of pictures of src/kernels, compiled as C++.
#include "cuda/picture_digest.cu"
