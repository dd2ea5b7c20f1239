# Debian's packages that building, running and testing need, and how missing ones are installed.
# Sourced by tools/run and tools/test.

run_packages=(
  g++ meson ninja-build pkg-config procps python3 fuse3 libfuse3-dev
  libasio-dev libcli11-dev libcurl4-openssl-dev libexpected-dev libfmt-dev libisal-dev liblz4-dev
  libpugixml-dev libsnappy-dev libspdlog-dev libssl-dev liburing-dev libzstd-dev rapidjson-dev zlib1g-dev
  doctest-dev
)

test_packages=(
  acl attr ccache clang-16 curl e2fsprogs ed kcat less libclang-rt-16-dev librdkafka-dev mandoc
  python3-confluent-kafka python3-kafka python3-lz4 python3-pip python3-snappy python3-zstandard rsync rsyslog rsyslog-kafka strace
  util-linux vim-tiny
  memcached swift swift-account swift-container swift-object swift-proxy
)

# The package, or another one that serves as well, is installed.
is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] && return
  case $1 in
    vim-tiny) command -v vi >/dev/null ;;
    *) false ;;
  esac
}

missing_packages() {
  local package
  for package in "$@"; do is_installed "$package" || echo "$package"; done
}

# install_packages PACKAGE...: those that are missing. Fails, and says what to do, if that can't be done.
install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "These packages of Debian 12 are missing, and there is no apt-get to install them: ${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "These packages are missing; install them (as root) and run this again:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo -n)
  fi
  echo "Installing: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${missing[@]}" </dev/null >/dev/null || {
    echo "apt-get could not install: ${missing[*]}" >&2
    return 1
  }
}
