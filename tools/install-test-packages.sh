#!/bin/sh
# Install the system packages that the tests use and that are missing (Debian, Ubuntu; as root), and start the servers
# that the tests expect on loopback unless something answers there already.
set -eu

packages=''
want() {  # program, package
    command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
want git git
want qemu-img qemu-utils          # makes and converts the images that the tests store
want flock util-linux             # tools/backends/keystone.sh
want nginx nginx                  # the examples in etc, each judged by the program that it is for
want systemd-analyze systemd
want logrotate logrotate
want openssl openssl
want mariadbd mariadb-server      # also run by tests that stop their database
if ! python3 -c 'import ensurepip' 2>/dev/null; then
    packages="$packages python3-venv" # virtual environments; Debian ships Python without
fi

# Database servers keep temporary tables in /tmp: without the usual permissions their users cannot write there.
if [ "$(id -u)" = 0 ] && [ "$(stat -c %a /tmp)" != 1777 ]; then
    chmod 1777 /tmp
fi

answers() {  # port
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)' "$1" 2>/dev/null
}
[ -n "${GLANCE_TEST_POSTGRESQL:-}" ] || answers 5432 || want pg_ctlcluster postgresql

if [ -n "$packages" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "install-test-packages.sh: the tests need these packages:$packages; install them or run this as root" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    apt-get install -q -y --no-install-recommends $packages
fi

start() {  # port, service
    answers "$1" && return
    if [ "$(id -u)" = 0 ]; then
        service "$2" start || true
    fi
}
[ -n "${GLANCE_TEST_MYSQL:-}" ] || start 3306 mariadb
[ -n "${GLANCE_TEST_POSTGRESQL:-}" ] || start 5432 postgresql
