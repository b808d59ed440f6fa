# What the scripts share; sourced, not run.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps

say() { printf '%s\n' "$*"; }

die() {
  printf '%s\n' "${0##*/}: $*" >&2
  exit 1
}

# have COMMAND: is it on the PATH?
have() { command -v "$1" > /dev/null 2>&1; }

# version_at_least HAVE WANTED
version_at_least() {
  [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# Cores this process may use: the affinity mask and the cgroup's quota, not all of the host's.
cores() {
  local count quota period
  count=$(nproc)
  if [[ -r /sys/fs/cgroup/cpu.max ]] && read -r quota period < /sys/fs/cgroup/cpu.max && [[ $quota != max ]]; then
    local share=$(((quota + period - 1) / period))
    ((share < count)) && count=$share
  fi
  echo $((count > 0 ? count : 1))
}

# Memory this process may still take, in MiB.
memory_mib() {
  local free limit used
  free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2> /dev/null) || free=
  : "${free:=4096}"
  if [[ -r /sys/fs/cgroup/memory.max ]]; then
    limit=$(< /sys/fs/cgroup/memory.max)
    used=$(cat /sys/fs/cgroup/memory.current 2> /dev/null || echo 0)
    if [[ $limit != max ]]; then
      # Page cache counts as used; some of it can go, so do not let the rest fall under a quarter.
      local left=$(((limit - used) / 1048576)) floor=$((limit / 4194304))
      ((left < floor)) && left=$floor
      ((left < free)) && free=$left
    fi
  fi
  echo "$free"
}

# Compilers at once: one a core, and 1.2 GiB each, which a file with torch's headers may take.
build_jobs() {
  local jobs by_memory
  jobs=$(cores)
  by_memory=$(($(memory_mib) / 1200))
  ((by_memory < jobs)) && jobs=$by_memory
  echo $((jobs > 0 ? jobs : 1))
}

# The CMake to use: the system's if it is new enough, else the one that setup got. Nothing if neither.
readonly cmake_wanted=3.25
find_cmake() {
  local candidate version
  for candidate in cmake "$deps/tools/cmake/data/bin/cmake"; do
    have "$candidate" || continue
    version=$("$candidate" --version 2> /dev/null | awk 'NR == 1 { print $3 }')
    if version_at_least "${version:-0}" "$cmake_wanted"; then
      command -v "$candidate"
      return
    fi
  done
}

find_ninja() {
  local candidate
  for candidate in ninja "$deps/tools/bin/ninja" "$deps/tools/ninja/data/bin/ninja"; do
    if have "$candidate" && "$candidate" --version > /dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
}

# Prints a Python that has pip: the system's if it has, else one of an environment of our own.
python_with_pip() {
  if python3 -c 'import pip' 2> /dev/null; then
    command -v python3
    return
  fi
  if ! "$deps/venv/bin/python" -c 'import pip' 2> /dev/null; then
    rm -rf "$deps/venv"
    python3 -m venv "$deps/venv" > /dev/null || die "python3 could not make an environment with pip in $deps/venv; run scripts/setup, or install python3-venv"
  fi
  echo "$deps/venv/bin/python"
}

# install_from_pypi FOLDER REQUIREMENT...: into .deps/FOLDER, which is there when it is complete.
install_from_pypi() {
  local folder=$deps/$1 python
  shift
  python=$(python_with_pip)
  rm -rf "$folder.part"
  PIP_ROOT_USER_ACTION=ignore "$python" -m pip --disable-pip-version-check install --quiet --no-input \
    --no-warn-script-location --target "$folder.part" "$@" < /dev/null || die "pip could not install $*; see the lines above"
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}

find_nvcc() {
  local candidate
  for candidate in "${CUDACXX:-}" nvcc "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda/bin/nvcc; do
    if [[ -n $candidate ]] && have "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
}

# The kind of build and its LibTorch. Takes VSR_CUDA (ON, OFF, AUTO) and VSR_TORCH_VERSION from the
# environment; sets $cuda_mode (cpu or cuda) and $torch_version, and exports CUDACXX for CMake.
choose_libtorch() {
  local wanted=${VSR_CUDA:-AUTO} nvcc major='' fitting=2.11.0
  cuda_mode=cpu
  case $wanted in
    ON | AUTO)
      nvcc=$(find_nvcc)
      if [[ -n $nvcc ]]; then
        major=$("$nvcc" --version 2> /dev/null | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
        # A wheel is built for one major version of CUDA, and nvcc's must be the same.
        case $major in
          13) cuda_mode=cuda ;;
          12) cuda_mode=cuda fitting=2.10.0 ;;
          *) [[ $wanted == ON ]] || say "setup: $nvcc is of CUDA ${major:-unknown}, and LibTorch needs 12 or 13: building without CUDA" ;;
        esac
      fi
      if [[ $wanted == ON && $cuda_mode == cpu ]]; then
        die "VSR_CUDA=ON needs nvcc of CUDA 12 or 13 (found: ${nvcc:-none}); install the CUDA toolkit, or set CUDACXX to its nvcc"
      fi
      if [[ $cuda_mode == cuda ]]; then
        export CUDACXX=$nvcc
      fi
      ;;
    OFF) ;;
    *) die "VSR_CUDA is '$wanted'; it must be ON, OFF or AUTO" ;;
  esac
  torch_version=${VSR_TORCH_VERSION:-$fitting}
  readonly cuda_mode torch_version
}

# MPI programs of the tests: as root in a container, more ranks than cores, all on this host, and so
# neither ssh nor TCP. Names that one version of Open MPI does not know it ignores.
export_mpi_environment() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
  export OMPI_MCA_plm_rsh_agent=/bin/false PRTE_MCA_plm_ssh_agent=/bin/false
  export OMPI_MCA_btl=^tcp
}
