#!/bin/sh
# What "make peers" runs, as root: installs the programs that the tests in this
# folder talk to, from Debian's packages and npm's.  Quick if all is there.
# No service is started, and none is left to start by itself.
set -eu
cd "$(dirname "$0")"

# libre-dev, libsrtp2-dev, libusrsctp-dev and gcc are for the floor control peer,
# the load generator of the benchmark and the SCTP peer, libmediastreamer-dev and
# gcc for the text telephone; build-essential and what follows, for the Debian package.
PACKAGES="
baresip-core
chromium
firefox-esr
gcc
iproute2
kamailio
kamailio-tls-modules
kamailio-websocket-modules
libc6-dev
libmediastreamer-dev
libre-dev
libspandsp2
libsrtp2-dev
libtiff-tools
libusrsctp-dev
mount
netcat-openbsd
openssl
rtpengine-daemon
sip-tester
tshark
build-essential
debhelper
debootstrap
dpkg-dev
python3-pip
python3-venv
systemd
util-linux
"
SERVICES="kamailio rtpengine-daemon"
POLICY=/usr/sbin/policy-rc.d

installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=""
for package in $PACKAGES; do
    installed "$package" || missing="$missing $package"
done
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "make peers: run it as root; it wants to install:$missing" >&2
        exit 1
    fi
    new=""
    for service in $SERVICES; do
        installed "$service" || new="$new $service"
    done
    # Debian asks this script whether a service may start; 101 means no.
    if [ ! -e "$POLICY" ]; then
        trap 'rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $missing
    for service in $new; do
        update-rc.d "$service" disable
    done
fi

if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --ignore-scripts --no-progress
    touch node_modules/.package-lock.json
fi
if [ ! page/bundle.js -nt page/phone.js ] || [ ! page/bundle.js -nt node_modules/.package-lock.json ]; then
    npm run --silent bundle
fi
# Whoever made the clone can remove it, and make clean too.
chown -R --reference=package.json node_modules page/bundle.js
echo "make peers: everything is installed"
