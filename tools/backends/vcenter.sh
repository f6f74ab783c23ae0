#!/usr/bin/env bash
# A SUBSTITUTE for a vCenter on loopback: the simulator of the govmomi project, which Debian has as a library for Go, made a
# server of by vcenter_substitute.go. It has no privileges, /folder needs no login, and free space is that of the local disk.
#
#   vcenter.sh start    install (Go, about 300 MB) and compile when needed, make a certificate, start; prints "env"
#   vcenter.sh stop     stop it; nothing is kept
#   vcenter.sh status   exit 0 when it answers, 1 otherwise
#   vcenter.sh env      NAME=value lines: VCENTER_HOST (with port), VCENTER_USER, VCENTER_PASSWORD, VCENTER_CA,
#                       VCENTER_KEY (for stand-ins with the same certificate), VCENTER_FOLDER (the datastores LocalDS_0 and
#                       LocalDS_1 of the datacenter DC0 are the folders govcsim-DC0-<name>-* in it)
name=vcenter
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

program=$home/vcenter_substitute

install() {
    packages golang-go golang-github-vmware-govmomi-dev openssl
    cmp -s "$here/vcenter_substitute.go" "$home/built.go" && return
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$home/cache" GOFLAGS='' \
        go build -o "$program" "$here/vcenter_substitute.go" || fail 'the simulator does not compile; see above'
    cp "$here/vcenter_substitute.go" "$home/built.go"
    rm -rf "$home/cache"
}

answers() { [ -e "$state/port" ] && ! port_is_free "$(cat "$state/port")"; }

create() {
    [ -e "$state/port" ] && return
    mkdir -p -m 700 "$state/folder"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$state/key.pem" -out "$state/certificate.pem" 2>/dev/null
    free_ports 1 > "$state/port"
}

serve() {
    rm -rf "$state/folder"/govcsim-*
    TMPDIR=$state/folder daemon server "$program" -listen "127.0.0.1:$(cat "$state/port")" -user glance -password glancepw \
        -certificate "$state/certificate.pem" -key "$state/key.pem"
}

# An interrupt lets it remove its folders.
stop() {
    local pid
    pid=$(cat "$state/run/server.pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null && wait_for 10 gone "$pid" || true
    end server
}

describe() {
    cat <<ENV
VCENTER_HOST=127.0.0.1:$(cat "$state/port")
VCENTER_USER=glance
VCENTER_PASSWORD=glancepw
VCENTER_CA=$state/certificate.pem
VCENTER_KEY=$state/key.pem
VCENTER_FOLDER=$state/folder
ENV
}

main "$@"
