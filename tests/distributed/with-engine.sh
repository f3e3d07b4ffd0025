#!/bin/bash
# Run a command with a Docker engine: the one that answers, or one that is started for it and ended after it.
#
#   tests/distributed/with-engine.sh make compose-demo
#
# AIRFLOW=3.0 before it takes another version of Airflow, also for the stand-ins.
# On Debian as root, what is missing is installed first. STAND_INS is set, and the stand-in base images are made,
# where the official ones cannot be pulled.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
for pair in dockerd:docker.io docker:docker.io docker-compose:docker-compose iptables:iptables debootstrap:debootstrap; do
    command -v "${pair%%:*}" > /dev/null || missing+=("${pair##*:}")
done
/usr/bin/python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
if ((${#missing[@]})) && ! docker version > /dev/null 2>&1; then
    echo "engine: installing ${missing[*]}"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
fi

if ! docker version > /dev/null 2>&1; then
    work=.demo/engine
    mkdir -p "$work"
    setsid dockerd --exec-opt native.cgroupdriver=cgroupfs > "$work/dockerd.log" 2>&1 < /dev/null &
    engine=$!
    stop() {
        kill "$engine" 2> /dev/null || true
        for _ in $(seq 60); do kill -0 "$engine" 2> /dev/null || return 0; sleep 0.5; done
        kill -KILL "$engine" 2> /dev/null || true
    }
    trap stop EXIT
    for _ in $(seq 60); do docker version > /dev/null 2>&1 && break; sleep 0.5; done
    docker version > /dev/null || { tail -20 "$work/dockerd.log" >&2; exit 1; }
fi

if [ -z "${STAND_INS:-}" ] && ! docker image inspect redis:7.2-bookworm > /dev/null 2>&1 &&
    ! timeout 120 docker pull --quiet redis:7.2-bookworm > /dev/null 2>&1; then
    export STAND_INS=1
fi
export COMPOSE_REQUIRED=1  # from here on a missing engine is an error, not a reason to skip
if [ -n "${STAND_INS:-}" ]; then
    tests/distributed/standin/build.sh
fi
"$@"
