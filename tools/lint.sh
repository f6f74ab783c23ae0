#!/usr/bin/env bash
# Check style, the direction of imports, and types: the commands of "tox -e lint", in the environment of tools/test.sh.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/test-environment.sh

result=0
for command in 'ruff check .' lint-imports mypy; do
    echo "--- $command"
    $command || result=1
done
exit $result
