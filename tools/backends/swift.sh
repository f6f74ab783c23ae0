#!/usr/bin/env bash
# A real Swift on loopback: proxy, account, container and object server, with the built-in login and the S3 interface; with
# Keystone too when tools/backends/keystone.sh runs.
#
#   swift.sh start      install when needed (memcached as a Debian package, Swift from PyPI), create, start; prints "env"
#   swift.sh stop       stop it; data is kept
#   swift.sh status     exit 0 when it answers, 1 otherwise
#   swift.sh env        NAME=value lines: SWIFT_AUTH (v1 login), SWIFT_USER, SWIFT_KEY, SWIFT_OTHER_USER, SWIFT_OTHER_KEY,
#                       S3_HOST, S3_ACCESS_KEY, S3_SECRET_KEY, SWIFT_RUN (the folder with WORD.pid of account, container,
#                       object, proxy and proxy-keystone), SWIFT_PROGRAM (the swift client); SWIFT_KEYSTONE_URL
#   swift.sh keystone   start a second proxy that takes tokens of Keystone (which is started too); prints "env"
#
# The S3 interface takes the same user and key.
name=swift
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bin=$home/venv/bin

install() {
    packages memcached
    environment 'swift>=2.33' 'python-swiftclient>=4.6' 'keystonemiddleware>=10.6' 'python-keystoneclient>=5.4'
}

url() { echo "http://127.0.0.1:$(cat "$state/port-$1")"; }

answers() { [ -e "$state/complete" ] && http_answers "$(url proxy)/healthcheck" && port_taken object; }

port_taken() { ! port_is_free "$(cat "$state/port-$1")"; }

create() {
    [ -e "$state/complete" ] && return
    rm -rf "$state"
    mkdir -p -m 700 "$state"/{etc,srv/d1,run,log,cache}
    local word ports
    read -ra ports <<< "$(free_ports 6)"
    for word in account container object proxy memcached keystone; do
        echo "${ports[0]}" > "$state/port-$word"
        ports=("${ports[@]:1}")
    done
    cat > "$state/etc/swift.conf" <<CONF
[swift-hash]
swift_hash_path_prefix = glance
swift_hash_path_suffix = test
[storage-policy:0]
name = default
default = yes
CONF
    for word in account container object; do ring "$word"; done
    proxy_configuration > "$state/etc/proxy.conf"
    touch "$state/complete"
}

ring() {  # word
    local port
    port=$(cat "$state/port-$1")
    cat > "$state/etc/$1.conf" <<CONF
[DEFAULT]
devices = $state/srv
mount_check = false
bind_ip = 127.0.0.1
bind_port = $port
workers = 1
swift_dir = $state/etc
user = $(id -un)
disable_fallocate = true
fallocate_reserve = 0
recon_cache_path = $state/cache
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
CONF
    (cd "$state/etc"
     "$bin/swift-ring-builder" "$1.builder" create 4 1 1
     "$bin/swift-ring-builder" "$1.builder" add "r1z1-127.0.0.1:$port/d1" 1
     "$bin/swift-ring-builder" "$1.builder" rebalance)
}

proxy_configuration() {
    local filter
    cat <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $(cat "$state/port-proxy")
workers = 1
swift_dir = $state/etc
user = $(id -un)
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl s3api tempauth copy slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_glance_glance = glancepw .admin
user_tenant1_user1 = pw1 .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
auth_pipeline_check = false
allow_no_owner = true
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$(cat "$state/port-memcached")
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
CONF
    for filter in catch_errors gatekeeper healthcheck listing_formats bulk tempurl copy slo dlo symlink; do
        printf '[filter:%s]\nuse = egg:swift#%s\n' $filter $filter
    done
}

serve() {
    local word
    [ -s "$state/run/memcached.pid" ] && kill -0 "$(cat "$state/run/memcached.pid")" 2>/dev/null \
        || daemon memcached memcached -u nobody -l 127.0.0.1 -p "$(cat "$state/port-memcached")" -m 64
    for word in account container object proxy; do
        port_is_free "$(cat "$state/port-$word")" && daemon $word "$bin/swift-$word-server" "$state/etc/$word.conf" -v
    done
    wait_for 60 http_answers "$(url proxy)/healthcheck" || fail "the proxy does not answer; see $state/log"
}

stop() { end proxy-keystone proxy object container account memcached; }

describe() {
    cat <<ENV
SWIFT_AUTH=$(url proxy)/auth/v1.0
SWIFT_USER=glance:glance
SWIFT_KEY=glancepw
SWIFT_OTHER_USER=tenant1:user1
SWIFT_OTHER_KEY=pw1
SWIFT_ADMIN_USER=admin:admin
SWIFT_ADMIN_KEY=admin
SWIFT_RUN=$state/run
SWIFT_PROGRAM=$bin/swift
SWIFT_KEYSTONE_URL=$(url keystone)
S3_HOST=$(url proxy)
S3_ACCESS_KEY=glance:glance
S3_SECRET_KEY=glancepw
ENV
}

# The second proxy: the same servers behind Keystone's tokens. authtoken stands before s3api, which would lose the identity
# that s3token sets otherwise.
with_keystone() {
    "$here/keystone.sh" start > /dev/null
    local auth password
    eval "$("$here/keystone.sh" env glance)"
    auth=$OS_AUTH_URL password=$OS_PASSWORD
    sed -e "s/^bind_port = .*/bind_port = $(cat "$state/port-keystone")/" \
        -e 's/tempurl s3api tempauth copy/tempurl authtoken s3api s3token keystoneauth copy/' \
        -e '/^\[filter:tempauth\]/,/^user_tenant1/d' "$state/etc/proxy.conf" > "$state/etc/proxy-keystone.conf"
    cat >> "$state/etc/proxy-keystone.conf" <<CONF
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $auth
auth_url = $auth
auth_type = password
username = glance
password = $password
project_name = service
user_domain_id = default
project_domain_id = default
cache = swift.cache
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, swiftoperator, member, service
reseller_admin_role = service
[filter:s3token]
use = egg:swift#s3token
auth_uri = $auth
auth_url = ${auth%/v3}
auth_type = password
username = glance
password = $password
project_name = service
user_domain_id = default
project_domain_id = default
CONF
    if ! http_answers "$(url keystone)/healthcheck"; then
        daemon proxy-keystone "$bin/swift-proxy-server" "$state/etc/proxy-keystone.conf" -v
        wait_for 60 http_answers "$(url keystone)/healthcheck" || fail "the second proxy does not answer; see $state/log"
    fi
}

if [ "${1:-}" = keystone ]; then
    main start > /dev/null
    with_keystone
    describe
else
    main "$@"
fi
