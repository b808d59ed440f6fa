# Every third-party library in one place, as imported targets that the rooms name.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(spdlog REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(nlohmann_json 3.9 REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
set(MPI_CXX_SKIP_MPICXX ON)  # the C++ bindings are gone from Open MPI 5 and slow to include
find_package(MPI REQUIRED COMPONENTS CXX)
# libavutil of FFmpeg 5.1, the first with AVChannelLayout; runpod/provision builds one where the system's is older.
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavfilter libavutil>=57.28.100 libswscale libswresample)
find_package(GTest REQUIRED)
include(GoogleTest)

# LibTorch comes as the PyPI wheel; its own CMake package insists on a CUDA toolkit whenever the
# wheel was built with CUDA, even for a program that uses the CPU alone. So the targets are made
# here: vsr_torch_cpu, and vsr_torch_cuda in a build with CUDA.
set(TORCH_DIR ${VSR_PYTHON_DIR}/torch)
if(NOT EXISTS ${TORCH_DIR}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "No LibTorch in ${TORCH_DIR}: run scripts/setup, or set VSR_PYTHON_DIR to the folder that holds torch/")
endif()
if(EXISTS ${VSR_PYTHON_DIR}/vsr-libtorch)  # the stamp of scripts/fetch-libtorch
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${VSR_PYTHON_DIR}/vsr-libtorch)
endif()

set(VSR_WITH_CUDA OFF)
if(NOT VSR_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER AND EXISTS ${TORCH_DIR}/lib/libtorch_cuda.so)
    set(VSR_WITH_CUDA ON)
  elseif(VSR_CUDA STREQUAL "ON")
    message(FATAL_ERROR "VSR_CUDA=ON needs nvcc (found: ${CMAKE_CUDA_COMPILER}) and a CUDA LibTorch in ${TORCH_DIR}")
  endif()
endif()
message(STATUS "GPU paths: ${VSR_WITH_CUDA}")

file(GLOB VSR_NVIDIA_LIBRARY_DIRS ${VSR_PYTHON_DIR}/nvidia/*/lib)
add_library(vsr_torch_cpu INTERFACE)
target_include_directories(vsr_torch_cpu SYSTEM INTERFACE ${TORCH_DIR}/include ${TORCH_DIR}/include/torch/csrc/api/include)
target_link_libraries(vsr_torch_cpu INTERFACE ${TORCH_DIR}/lib/libtorch_cpu.so ${TORCH_DIR}/lib/libc10.so)
target_compile_definitions(vsr_torch_cpu INTERFACE AT_PER_OPERATOR_HEADERS)
target_link_options(vsr_torch_cpu INTERFACE -Wl,--allow-shlib-undefined)

# The program finds torch and the CUDA libraries where they were at build time; LD_LIBRARY_PATH
# serves everywhere else.
set(CMAKE_BUILD_RPATH ${TORCH_DIR}/lib ${VSR_NVIDIA_LIBRARY_DIRS})

if(VSR_WITH_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    # 90a: Hopper with its own matrix and copy instructions; 90-virtual: for whatever comes after it.
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 90-virtual)
  endif()
  set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 does not know nvcc 13's C++20
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  add_library(vsr_torch_cuda INTERFACE)
  target_link_libraries(vsr_torch_cuda INTERFACE vsr_torch_cpu -Wl,--no-as-needed ${TORCH_DIR}/lib/libtorch_cuda.so -Wl,--as-needed ${TORCH_DIR}/lib/libc10_cuda.so CUDA::cudart)

  # The one that a CUDA LibTorch links.
  set(NCCL_DIR ${VSR_PYTHON_DIR}/nvidia/nccl)
  if(NOT EXISTS ${NCCL_DIR}/include/nccl.h OR NOT EXISTS ${NCCL_DIR}/lib/libnccl.so.2)
    message(FATAL_ERROR "No NCCL in ${NCCL_DIR}: run scripts/setup, or build with VSR_CUDA=OFF")
  endif()
  add_library(vsr_nccl INTERFACE)
  target_include_directories(vsr_nccl SYSTEM INTERFACE ${NCCL_DIR}/include)
  target_link_libraries(vsr_nccl INTERFACE ${NCCL_DIR}/lib/libnccl.so.2 CUDA::cudart)
endif()
