#!/usr/bin/env bash
# A SUBSTITUTE for Sheepdog: its command line client as a stand-in (sheepdog_substitute.py) that keeps each disk in a file.
# The real one left the distributions. No daemon runs.
#
#   sheepdog.sh start    put the stand-in in a folder of its own, as dog and as collie; prints "env"
#   sheepdog.sh stop     nothing; data is kept
#   sheepdog.sh status   exit 0 when it is there, 1 otherwise
#   sheepdog.sh env      NAME=value lines: SHEEPDOG_BIN, the folder to put into PATH, in which ADDRESS_PORT is a cluster
name=sheepdog
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

install() { :; }

answers() { cmp -s "$here/sheepdog_substitute.py" "$state/bin/dog" && [ -x "$state/bin/collie" ]; }

create() { mkdir -p -m 700 "$state/bin/127.0.0.1_7000"; }

serve() {
    local program
    for program in dog collie; do
        install_program "$here/sheepdog_substitute.py" "$state/bin/$program"
    done
}

install_program() { command install -m 755 "$1" "$2"; }

stop() { :; }

describe() { echo "SHEEPDOG_BIN=$state/bin"; }

main "$@"
