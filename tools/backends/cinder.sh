#!/usr/bin/env bash
# A real Cinder on loopback: API, scheduler and two volume services, one with volumes in Ceph (volume type "ceph", and
# "shared" with multiattach), one with files on an export of NFS (volume type "nfs"). Ceph and Keystone are started by
# the scripts beside this one.
#
#   cinder.sh start     install when needed (from PyPI), create, start (as root); prints what "env" prints
#   cinder.sh stop      stop Cinder, not Ceph nor Keystone; volumes are kept
#   cinder.sh status    exit 0 when it answers, 1 otherwise
#   cinder.sh env       NAME=value lines: CINDER_AUTH, CINDER_USER, CINDER_PASSWORD, CINDER_PROJECT, CINDER_TYPES,
#                       CINDER_OTHER_USER, CINDER_OTHER_PROJECT, CINDER_URL (of the project), CINDER_RUN (the folder
#                       with WORD.pid of api, scheduler and volume), CINDER_BIN (its programs)
#
# MariaDB and RabbitMQ are those of the machine: CINDER_DATABASE (default mysql+pymysql://root@127.0.0.1:3306; the
# database is "glance_cinder") and CINDER_BROKER (default rabbit://guest:guest@127.0.0.1:5672/). Cinder names its queues
# by itself, so that a broker can serve one Cinder only. There is no NFS server: "mount.nfs" is a stand-in, put into
# /sbin where there is none, that binds a folder of this machine. Ceph's clients find the key of Cinder's user in
# /etc/ceph.
name=cinder
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bin=$home/venv/bin
server=${CINDER_DATABASE:-mysql+pymysql://root@127.0.0.1:3306}
broker=${CINDER_BROKER:-rabbit://guest:guest@127.0.0.1:5672/}

install() {
    [ "$(id -u)" = 0 ] || fail 'it mounts file systems, so run this as root'
    packages sudo e2fsprogs
    environment 'cinder>=25' 'python-cinderclient>=9.6' 'pymysql>=1.1'
    "$here/ceph.sh" link "$home/venv"
    [ -e /sbin/mount.nfs ] && return
    cat > /sbin/mount.nfs <<'SH'
#!/bin/sh
# Stand-in of Glance's tests: "host:/path folder [-o options]" binds the path of this machine.
exec /bin/mount --bind "${1#*:}" "$2"
SH
    chmod 755 /sbin/mount.nfs
}

url() { echo "http://127.0.0.1:$(cat "$state/port")"; }

answers() { [ -e "$state/complete" ] && http_answers "$(url)" && running scheduler && running volume && mounted; }

running() { kill -0 "$(cat "$state/run/$1.pid" 2>/dev/null || echo x)" 2>/dev/null; }

mounted() { mountpoint -q "$state/export"; }

# What the state depends on; if one of them was made anew, so is Cinder.
neighbours() {
    "$here/keystone.sh" start
    { "$here/keystone.sh" env admin; cat "$(ceph_configuration)"; } | sha256sum
}

create() {
    if [ -e "$state/complete" ] && [ "$(cat "$state/neighbours" 2>/dev/null)" = "$(neighbours)" ] \
            && { running api || port_is_free "$(cat "$state/port")"; }; then
        return
    fi
    [ ! -d "$state" ] || stop
    rm -rf "$state"
    mkdir -p -m 700 "$state"
    mkdir -p "$state"/{data,locks,log,conversion,mounts,export,run}
    chmod 711 "$state"
    free_ports 1 > "$state/port"
    neighbours > "$state/neighbours"
    truncate -s 8G "$state/export.img"
    mkfs.ext4 -q -F "$state/export.img"
    echo "127.0.0.1:$state/export" > "$state/shares"
    mkdir -p /etc/ceph
    CEPH_CONF=$(ceph_configuration) ceph auth get-or-create client.cinder mon 'profile rbd' \
        osd 'profile rbd pool=volumes' mgr 'profile rbd pool=volumes' -o /etc/ceph/ceph.client.cinder.keyring
    eval "$("$here/keystone.sh" env admin)"
    "$bin/python" "$here/cinder_seed.py" identity "$(url)"
    "$bin/python" "$here/cinder_seed.py" database "$server/glance_cinder"
    configuration > "$state/cinder.conf"
    "$bin/cinder-manage" --config-file "$state/cinder.conf" db sync
    serve
    "$bin/python" "$here/cinder_seed.py" types ceph nfs
    touch "$state/complete"
}

ceph_configuration() { "$here/ceph.sh" start | sed -n 's/^CEPH_CONF=//p'; }

configuration() {
    cat <<CONF
[DEFAULT]
auth_strategy = keystone
transport_url = $broker
control_exchange = glance_cinder
host = glance-tests
state_path = $state/data
log_dir = $state/log
enabled_backends = ceph,nfs
default_volume_type = ceph
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = $(cat "$state/port")
osapi_volume_workers = 1
api_paste_config = $home/venv/etc/cinder/api-paste.ini
resource_query_filters_file = $home/venv/etc/cinder/resource_filters.json
rootwrap_config = $home/venv/etc/cinder/rootwrap.conf
my_ip = 127.0.0.1
image_conversion_dir = $state/conversion
report_interval = 5
quota_volumes = 500
quota_gigabytes = 5000
[database]
connection = $server/glance_cinder?charset=utf8mb3
[oslo_concurrency]
lock_path = $state/locks
[keystone_authtoken]
www_authenticate_uri = $OS_AUTH_URL
auth_url = $OS_AUTH_URL
auth_type = password
username = cinder
password = $OS_PASSWORD
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles = service
service_token_roles_required = true
[ceph]
volume_backend_name = ceph
volume_driver = cinder.volume.drivers.rbd.RBDDriver
rbd_pool = volumes
rbd_user = cinder
rbd_ceph_conf = $(ceph_configuration)
rbd_cluster_name = ceph
rados_connect_timeout = 10
[nfs]
volume_backend_name = nfs
volume_driver = cinder.volume.drivers.nfs.NfsDriver
nfs_shares_config = $state/shares
nfs_mount_point_base = $state/mounts
nfs_sparsed_volumes = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
CONF
}

serve() {
    ceph_configuration > /dev/null
    # The export must be a file system of its own: what is bound from the same one does not look mounted.
    mounted || { mount -o loop "$state/export.img" "$state/export" && chmod 777 "$state/export"; }
    local word
    for word in api scheduler volume; do
        running $word || PATH=$bin:$PATH daemon $word "$bin/cinder-$word" --config-file "$state/cinder.conf"
    done
    wait_for 120 http_answers "$(url)" || fail "the API does not answer; see $state/log"
    eval "$("$here/keystone.sh" env admin)"
    "$bin/python" "$here/cinder_seed.py" wait 3 || fail "the volume services do not come up; see $state/log"
}

stop() {
    end volume scheduler api
    local folder
    for folder in "$state"/mounts/* "$state/export"; do
        mountpoint -q "$folder" && umount "$folder"
    done
    return 0
}

describe() {
    local OS_AUTH_URL OS_PASSWORD
    eval "$("$here/keystone.sh" env admin | sed 's/^export //')"
    cat <<ENV
CINDER_AUTH=$OS_AUTH_URL
CINDER_USER=cinder
CINDER_PASSWORD=$OS_PASSWORD
CINDER_PROJECT=service
CINDER_OTHER_USER=demo
CINDER_OTHER_PROJECT=demo
CINDER_TYPES=ceph,shared,nfs
CINDER_URL=$(url)/v3/%(project_id)s
CINDER_RUN=$state/run
CINDER_BIN=$bin
ENV
}

main "$@"
