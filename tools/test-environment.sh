# Sourced by the scripts that check the project, in its top folder: makes the virtual environment with Glance and
# everything its tests need, unless it is up to date, and puts its programs first on the path.
venv=${GLANCE_TEST_VENV:-$PWD/.venv}
python=${PYTHON:-$(command -v python3.11 || command -v python3)}

# The build takes the version from git; sources that come without git get a version here.
git rev-parse HEAD >/dev/null 2>&1 || export PBR_VERSION=${PBR_VERSION:-0.0.0}
export SKIP_GENERATE_AUTHORS=1 SKIP_WRITE_GIT_CHANGELOG=1

wanted=$({ "$python" --version; echo "$PWD"
             cat requirements.txt test-requirements.txt setup.cfg setup.py pyproject.toml; } | sha256sum)
if [ "$(cat "$venv/installed-from" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing Glance and the tools of its tests into $venv"
    "$python" -m venv "$venv" || exit 1
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement test-requirements.txt --editable . || exit 1
    echo "$wanted" > "$venv/installed-from"
fi
export PATH=$venv/bin:$PATH
