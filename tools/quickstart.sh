#!/bin/sh
# Try Glance: install it beside the sources, start it, store an image and read it back.  See --help.
# This script only finds a Python of 3.11 or newer (or takes the one named by PYTHON); tools/quickstart.py does the work.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
for python in ${PYTHON:-python3.11 python3 python3.12 python3.13 python}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" "$here/quickstart.py" "$@"
    fi
done
echo 'quickstart: Glance needs Python 3.11 or newer; install it or name it: PYTHON=/path/to/python3.11' >&2
exit 1
