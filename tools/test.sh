#!/usr/bin/env bash
# Run the tests: all of them, or those that the arguments for "stestr run" select.
#
#   tools/test.sh                        unit, conformance, functional, integration, and stores that are quick to start
#   tools/test.sh tests.stores           all stores: also Ceph, Cinder and a simulated vCenter
#   tools/test.sh tests.unit             one folder, module, class or test (a regular expression)
#   tools/test.sh --failing              those that failed last time
#
# Makes a virtual environment (.venv, or the folder named by GLANCE_TEST_VENV) and installs Glance and what the tests
# need; later runs reuse it. Uses the interpreter named by PYTHON (default python3.11, else python3).
# The database tests need servers; these variables name others than the defaults:
#   GLANCE_TEST_MYSQL        mysql+pymysql://root@127.0.0.1:3306
#   GLANCE_TEST_POSTGRESQL   postgresql+psycopg2://postgres@127.0.0.1:5432
# GLANCE_TEST_DATA_API=registry has the functional tests keep their records in a glance-registry.
# The last line says how many tests passed, failed and were skipped; the exit code is 0 only when none failed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

trap 'echo "0 passed, 1 failed, 0 skipped"' EXIT     # until the tests run, whatever ends this script is a failure
. tools/test-environment.sh
if [ $# = 0 ]; then
    tools/install-test-packages.sh
    python tools/check_databases.py
    set -- --exclude-regex '^tests\.stores\.heavy\.'
fi
trap - EXIT

result=0
stestr run "$@" || result=$?
python tools/print_totals.py "$result"
