#!/usr/bin/env bash
# A real Ceph cluster on loopback: one monitor, one manager, one OSD in a sparse file, and a RADOS gateway that speaks S3.
#
#   ceph.sh start     install when needed (Debian packages, as root), create, start; prints what "env" prints
#   ceph.sh stop      stop it; data is kept
#   ceph.sh status    exit 0 when it answers, 1 otherwise
#   ceph.sh env       NAME=value lines: CEPH_CONF, CEPH_POOL, CEPH_USER, S3_HOST, S3_ACCESS_KEY, S3_SECRET_KEY, CEPH_RUN
#                     (the folder with NAME.pid of mon, mgr, osd and rgw)
#
# The bindings rados and rbd come with the packages for the system's Python; "ceph.sh link VENV" links them into a virtual
# environment of the same minor version. Pools: images (user glance), volumes (user cinder).
name=ceph
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export CEPH_CONF=$state/ceph.conf

install() { packages ceph-mon ceph-osd ceph-mgr radosgw ceph-common python3-rados python3-rbd uuid-runtime; }

answers() {
    [ -e "$state/complete" ] || return 1
    local word
    for word in mon mgr osd rgw; do     # the monitor takes a while to notice that an OSD died
        running $word || return 1
    done
    timeout 5 ceph osd stat 2>/dev/null | grep -q '1 up' && http_answers "http://127.0.0.1:$(cat "$state/rgw-port")"
}

create() {
    [ -e "$state/complete" ] && return
    rm -rf "$state"
    mkdir -p -m 700 "$state"/{mon,osd,mgr,rgw,run,log}
    local fsid v2 v1 gateway
    fsid=$(uuidgen)
    read -r v2 v1 gateway <<< "$(free_ports 3)"
    echo "$gateway" > "$state/rgw-port"
    cat > "$state/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
run dir = $state/run
admin socket = $state/run/\$cluster-\$name.\$pid.asok
log file = $state/log/\$name.log
keyring = $state/ceph.\$name.keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail warn = 5
# Snapshots need an agreement of the monitors, which usually wait a second for more to agree on.
paxos propose interval = 0.05
[mon.a]
mon data = $state/mon
keyring = $state/mon/keyring
[mgr.x]
mgr data = $state/mgr
keyring = $state/mgr/keyring
mgr initial modules =
[osd.0]
osd data = $state/osd
osd objectstore = bluestore
bluestore block size = 10737418240
osd memory target = 939524096
keyring = $state/osd/keyring
[client.rgw.a]
rgw data = $state/rgw
keyring = $state/rgw/keyring
rgw frontends = beast endpoint=127.0.0.1:$gateway
rgw run sync thread = false
CONF
    ceph-authtool -C "$state/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
    ceph-authtool -C "$state/ceph.client.admin.keyring" --gen-key -n client.admin \
        --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    ceph-authtool "$state/mon.keyring" --import-keyring "$state/ceph.client.admin.keyring"
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]" "$state/monmap"
    ceph-mon --mkfs -i a --monmap "$state/monmap" --keyring "$state/mon.keyring"
    serve_cluster first
    ceph osd pool create images 8
    rbd pool init images
    ceph osd pool create volumes 8
    rbd pool init volumes
    local user pool
    for user in glance cinder; do
        [ $user = glance ] && pool=images || pool=volumes
        ceph auth get-or-create client.$user mon 'profile rbd' osd "profile rbd pool=$pool" \
            mgr "profile rbd pool=$pool" -o "$state/ceph.client.$user.keyring"
    done
    ceph auth get-or-create client.rgw.a mon 'allow rw' osd 'allow rwx' -o "$state/rgw/keyring"
    touch "$state/complete"
}

serve_cluster() {  # "first" when the OSD is still to be made
    running mon || ceph-mon -i a --pid-file "$state/run/mon.pid"
    if [ "${1:-}" = first ]; then
        ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' -o "$state/mgr/keyring"
    fi
    running mgr || ceph-mgr -i x --pid-file "$state/run/mgr.pid"
    if [ "${1:-}" = first ]; then
        local uuid secret
        uuid=$(uuidgen)
        secret=$(ceph-authtool --gen-print-key)
        echo "{\"cephx_secret\":\"$secret\"}" | ceph osd new "$uuid" -i -
        ceph-authtool -C "$state/osd/keyring" -n osd.0 --add-key "$secret"
        ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
    fi
    running osd || ceph-osd -i 0 --pid-file "$state/run/osd.pid"
    wait_for 60 is_up || fail "the OSD does not come up; see $state/log"
}

running() { kill -0 "$(cat "$state/run/$1.pid" 2>/dev/null || echo x)" 2>/dev/null; }

is_up() { ceph osd stat | grep -q '1 up'; }

serve() {
    serve_cluster
    running rgw || radosgw -n client.rgw.a --pid-file "$state/run/rgw.pid"
    wait_for 60 http_answers "http://127.0.0.1:$(cat "$state/rgw-port")" || fail "the gateway does not answer; see $state/log"
    if [ ! -e "$state/s3-user" ]; then
        radosgw-admin user create --uid=glance --display-name=glance --access-key=AKGLANCE --secret-key=SKGLANCE > "$state/s3-user.new"
        mv "$state/s3-user.new" "$state/s3-user"
    fi
}

stop() { end rgw osd mgr mon; }

describe() {
    cat <<ENV
CEPH_CONF=$state/ceph.conf
CEPH_POOL=images
CEPH_USER=glance
CEPH_RUN=$state/run
S3_HOST=http://127.0.0.1:$(cat "$state/rgw-port")
S3_ACCESS_KEY=AKGLANCE
S3_SECRET_KEY=SKGLANCE
ENV
}

link() {  # virtual environment
    local packages
    packages=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    ln -sf /usr/lib/python3/dist-packages/rados*.so /usr/lib/python3/dist-packages/rbd*.so "$packages/"
}

if [ "${1:-}" = link ]; then
    mkdir -p "$home"
    exec 9> "$home/lock"
    flock 9
    install 9>&-
    link "${2:?name the virtual environment}"
else
    main "$@"
fi
