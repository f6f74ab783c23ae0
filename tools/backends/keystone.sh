#!/usr/bin/env bash
# A real Keystone on loopback for tests and for trying Glance with authentication.
#
#   keystone.sh start            install when needed, create, seed and start; prints the address; harmless when it runs
#   keystone.sh stop             stop it; users, projects and keys are kept
#   keystone.sh status           say where it listens; exit 0 when it answers, 1 otherwise
#   keystone.sh env [USER]       shell exports for the clients (default user: admin)
#   keystone.sh glance-conf      the [keystone_authtoken] section for glance-api.conf
#
# Users: admin (project admin), demo and demo-reader (project demo), alt and alt-reader (project alt), glance (project
# service, role service).  All share one random password, kept with the rest under
#   GLANCE_BACKENDS   (default: $XDG_CACHE_HOME/glance-backends or ~/.cache/glance-backends)
# Other settings: KEYSTONE_PORT (default: a free port, chosen once), GLANCE_ENDPOINT (default http://127.0.0.1:9292, the
# address of the image service in the catalogue), PYTHON (the interpreter for the virtual environment).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${GLANCE_BACKENDS:-${XDG_CACHE_HOME:-$HOME/.cache}/glance-backends}/keystone
venv=$home/venv
state=$home/state

# Private Keystone, private network: nothing here goes through a proxy.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

fail() { echo "keystone.sh: $*" >&2; exit 1; }

port() { cat "$state/port" 2>/dev/null; }
url() { echo "http://127.0.0.1:$(port)/v3"; }
password() { cat "$state/password"; }

answers() {
    [ -s "$state/port" ] && "$venv/bin/python" - "$(url)" <<'PY' 2>/dev/null
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=5)
PY
}

manage() { PYTHONWARNINGS=ignore "$venv/bin/keystone-manage" --config-file "$state/keystone.conf" "$@"; }

install() {
    [ -e "$venv/installed" ] && return
    local python=${PYTHON:-python3}
    echo "keystone.sh: installing Keystone under $venv (one to three minutes)" >&2
    "$python" -m venv --clear "$venv" || fail "$python cannot make a virtual environment; set PYTHON or install python3-venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'keystone>=26' 'gunicorn>=22' >&2 \
        || fail "pip could not install keystone and gunicorn; see the messages above"
    touch "$venv/installed"
}

free_port() {
    "$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

port_is_free() {
    "$venv/bin/python" -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))' "$(port)" 2>/dev/null
}

create() {
    # The catalogue holds the port, so a port that somebody else took meanwhile means starting afresh.
    [ -e "$state/complete" ] && port_is_free && return
    rm -rf "$state"
    mkdir -p -m 700 "$state"
    echo "${KEYSTONE_PORT:-$(free_port)}" > "$state/port"
    "$venv/bin/python" -c 'import secrets; print(secrets.token_hex(12))' > "$state/password"

    # The cheapest password hash: a test bed spends its time on other things.
    cat > "$state/keystone.conf" <<CONF
[DEFAULT]
log_file = $state/keystone.log
[database]
connection = sqlite:///$state/keystone.db
[fernet_tokens]
key_repository = $state/fernet
[credential]
key_repository = $state/credential
[token]
expiration = 86400
[identity]
password_hash_rounds = 4
[cache]
enabled = false
CONF
    # One request at a time: a transaction that reads and then writes fails in SQLite when another one wrote meanwhile, and
    # Keystone writes whenever a password is wrong, or right again. It would use one core only in any case.
    # Settings come from a file, because Keystone parses the command line of the process it is loaded into.
    cat > "$state/gunicorn.conf.py" <<CONF
wsgi_app = 'keystone.wsgi.api:application'
bind = '127.0.0.1:$(port)'
workers = 1
worker_class = 'gthread'
threads = 1
daemon = True
pidfile = '$state/pid'
errorlog = '$state/gunicorn.log'
raw_env = ['OS_KEYSTONE_CONFIG_FILES=$state/keystone.conf']
CONF
    local me=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)") endpoint
    endpoint=$(url)
    manage db_sync
    manage fernet_setup "${me[@]}"
    manage credential_setup "${me[@]}"
    manage bootstrap --bootstrap-password "$(password)" --bootstrap-region-id RegionOne \
        --bootstrap-public-url "$endpoint" --bootstrap-internal-url "$endpoint" --bootstrap-admin-url "$endpoint"
}

serve() {
    (cd "$state" && GUNICORN_CMD_ARGS="--config $state/gunicorn.conf.py" "$venv/bin/gunicorn")
    local attempt
    for attempt in $(seq 300); do
        answers && return
        sleep 0.2
    done
    fail "Keystone does not answer at $(url); see $state/gunicorn.log and $state/keystone.log"
}

seed() {
    [ -e "$state/complete" ] && return
    OS_AUTH_URL=$(url) OS_PASSWORD=$(password) GLANCE_ENDPOINT=${GLANCE_ENDPOINT:-http://127.0.0.1:9292} \
        "$venv/bin/python" "$here/keystone_seed.py"
    touch "$state/complete"
}

start() {
    mkdir -p "$home"
    exec 9> "$home/lock"
    flock 9                              # two callers at once: the second finds the work done
    install 9>&-
    if ! answers; then
        create 9>&- >&2
        serve 9>&-
        seed 9>&-
    fi
    echo "$(url)"
}

stop() {
    local pid
    pid=$(cat "$state/pid" 2>/dev/null) || { echo 'Keystone is not running'; return; }
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f "$state/pid"
}

status() {
    if answers; then echo "Keystone answers at $(url)"; else echo 'Keystone is not running'; return 1; fi
}

created() { [ -e "$state/complete" ] || fail 'there is no Keystone yet; run "keystone.sh start"'; }

environment() {
    created
    local user=${1:-admin} project
    case $user in
        admin) project=admin ;;
        demo | demo-reader) project=demo ;;
        alt | alt-reader) project=alt ;;
        glance) project=service ;;
        *) fail "no user $user; there are admin, demo, demo-reader, alt, alt-reader and glance" ;;
    esac
    cat <<ENV
export OS_AUTH_TYPE=password
export OS_AUTH_URL=$(url)
export OS_IDENTITY_API_VERSION=3
export OS_REGION_NAME=RegionOne
export OS_USERNAME=$user
export OS_PASSWORD=$(password)
export OS_PROJECT_NAME=$project
export OS_USER_DOMAIN_ID=default
export OS_PROJECT_DOMAIN_ID=default
ENV
}

glance_conf() {
    created
    cat <<CONF
[keystone_authtoken]
www_authenticate_uri = $(url)
auth_url = $(url)
auth_type = password
username = glance
password = $(password)
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
CONF
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    status) status ;;
    env) environment "${2:-admin}" ;;
    glance-conf) glance_conf ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
