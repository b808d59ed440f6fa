# Debian's packages for tests, unpacked into .deps and not installed: installed they would start daemons, and need
# root. Sourced after scripts/lib.sh, not run.
# shellcheck shell=bash disable=SC2154

apt=(apt-get -o APT::Sandbox::User= -o APT::Update::Error-Mode=any -o Acquire::Retries=1 -o Acquire::http::Timeout=15)

# unpack FOLDER OPTION_OF_APT_GET... -- PACKAGE...: fetches and unpacks those packages, and those that they need, that
# are not installed.
unpack() {
  local folder=$1 archive
  local -a options=() missing
  shift
  for (( ; $# > 0; )); do
    [[ $1 != -- ]] || { shift; break; }
    options+=("$1")
    shift
  done
  mapfile -t missing < <("${apt[@]}" "${options[@]}" -s install --no-install-recommends "$@" |
    sed -n 's/^Inst \([^ ]*\) (.*/\1/p')  # an installed one that has a newer version is left as it is
  wait $! || return 1
  rm -f -- *.deb
  ((${#missing[@]} == 0)) || "${apt[@]}" "${options[@]}" download "${missing[@]}" || return 1
  for archive in *.deb; do
    [[ ! -e $archive ]] || dpkg-deb -x "$archive" "$folder" || return 1
  done
}

# get_packages FOLDER PACKAGE...: into .deps/FOLDER, which is there when it is complete.
# Runs as the test of `||`, where set -e does not reach: returns what failed by itself.
get_packages() {
  local tools=$deps/$1
  shift
  if ! have apt-get || ! have dpkg-deb; then
    echo "only Debian's and Ubuntu's packages are known here"
    return 1
  fi
  rm -rf "$tools.part"
  mkdir -p "$tools.part/lists/partial"
  cd "$tools.part" || return 1
  # The system's lists may be none, or so old that what they name is gone: then with lists of our own.
  local lists="Dir::State::lists=$tools.part/lists"
  unpack "$tools.part" -- "$@" ||
    { "${apt[@]}" -o "$lists" update && unpack "$tools.part" -o "$lists" -- "$@"; } || return 1
  rm -rf -- lists *.deb
  cd "$deps" || return 1
  rm -rf "$tools"
  mv "$tools.part" "$tools"
}

# get CALLER FOLDER WHAT COMMAND...: runs COMMAND if .deps/FOLDER is missing, and tells how it went.
get() {
  local caller=$1 folder=$2 what=$3 log=$deps/$2.log
  shift 3
  [[ ! -d $deps/$folder ]] || return 0
  if ("$@") < /dev/null > "$log" 2>&1; then
    say "$caller: $what: in .deps/$folder"
  else
    say "$caller: no $what: $(tail -n 1 "$log") (all of it is in $log)"
  fi
}
