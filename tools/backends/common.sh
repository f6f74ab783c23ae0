# Sourced by the scripts beside it: where a backend lives and how it is started once, whoever asks.
#
# A script sets "name", sources this, defines install, create, serve, answers, stop and describe, and ends with
#     main "$@"
# "$home" holds what is kept between starts: installed programs in "$home" itself, data and settings in "$state".
# Other settings: GLANCE_BACKENDS (default: $XDG_CACHE_HOME/glance-backends or ~/.cache/glance-backends), PYTHON.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${GLANCE_BACKENDS:-${XDG_CACHE_HOME:-$HOME/.cache}/glance-backends}/$name
state=$home/state

# Private servers: nothing here goes through a proxy, and nobody's certificates are meant.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE

fail() { echo "$name.sh: $*" >&2; exit 1; }

# Debian packages, as root; harmless when they are there.
packages() {
    local missing='' package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || fail "these packages are missing:$missing; install them or run this as root"
    echo "$name.sh: installing$missing" >&2
    # The packages start no services where policy-rc.d says so; the servers here are started by hand.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    { apt-get install -q -y --no-install-recommends $missing \
        || { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; }; } >&2
}

# A virtual environment in "$home/venv" with these Python packages.
environment() {
    local wanted="$*"
    [ "$(cat "$home/venv/installed" 2>/dev/null)" = "$wanted" ] && return
    echo "$name.sh: installing $wanted under $home/venv (one to three minutes)" >&2
    "${PYTHON:-python3}" -m venv --clear "$home/venv" || fail 'no virtual environment can be made; set PYTHON or install python3-venv'
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check "$@" >&2 || fail "pip could not install $wanted; see above"
    echo "$wanted" > "$home/venv/installed"
}

# So many free ports.
free_ports() {
    python3 - "$1" <<'PY'
import socket, sys
sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))
PY
}

port_is_free() { python3 -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null; }

http_answers() {  # URL
    python3 - "$1" <<'PY' 2>/dev/null
import sys, urllib.error, urllib.request
try:
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=5)
except urllib.error.HTTPError:
    pass
PY
}

# In the background, in a session of its own, its process id in "$state/run/WORD.pid".
daemon() {  # word, command…
    local word=$1
    shift
    mkdir -p "$state/run" "$state/log"
    setsid "$@" > "$state/log/$word.out" 2>&1 < /dev/null 9>&- &
    echo $! > "$state/run/$word.pid"
}

wait_for() {  # seconds, command…
    local tries=$(($1 * 5))
    shift
    while ! "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

# TERM to the processes of these words, in this order, each awaited; KILL after ten seconds.
end() {
    local word pid
    for word in "$@"; do
        pid=$(cat "$state/run/$word.pid" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null || true
        wait_for 10 gone "$pid" || kill -9 "$pid" 2>/dev/null || true
        rm -f "$state/run/$word.pid"
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

main() {
    case ${1:-} in
        start)
            mkdir -p "$home"
            exec 9> "$home/lock"
            flock 9                              # two callers at once: the second finds the work done
            if ! answers; then
                install 9>&- >&2
                create 9>&- >&2
                serve 9>&- >&2
                wait_for 60 answers || fail "it does not answer; see $state/log"
            fi
            describe ;;
        stop) stop ;;
        status) if answers; then echo "$name answers"; else echo "$name is not running"; return 1; fi ;;
        env) [ -d "$state" ] || fail "there is none yet; run \"$name.sh start\""; describe ;;
        *) sed -n '2,/^name=/{/^name=/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[1]}" >&2; exit 2 ;;
    esac
}
