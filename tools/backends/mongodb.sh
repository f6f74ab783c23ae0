#!/usr/bin/env bash
# A SUBSTITUTE for MongoDB on loopback (mongodb_substitute.py): no registry of packages has the real server. It speaks the
# wire protocol to the real pymongo, in memory; it cannot show authentication, TLS, write concerns or failover.
#
#   mongodb.sh start    install pymongo when needed, start; prints "env"
#   mongodb.sh stop     stop it; nothing is kept
#   mongodb.sh status   exit 0 when it answers, 1 otherwise
#   mongodb.sh env      NAME=value lines: MONGODB_URI
name=mongodb
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

install() { environment 'pymongo>=4.7'; }

answers() { [ -e "$state/port" ] && ! port_is_free "$(cat "$state/port")"; }

create() {
    mkdir -p -m 700 "$state"
    [ -e "$state/port" ] || free_ports 1 > "$state/port"
}

serve() { daemon server "$home/venv/bin/python" "$here/mongodb_substitute.py" "$(cat "$state/port")"; }

stop() { end server; }

describe() { echo "MONGODB_URI=mongodb://127.0.0.1:$(cat "$state/port")"; }

main "$@"
