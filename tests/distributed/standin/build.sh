#!/bin/bash
# Make stand-ins for the official base images where no image registry can be reached:
#
#   imagebuilder-standin/airflow    for apache/airflow    imagebuilder-standin/postgres   for postgres
#   imagebuilder-standin/redis      for redis
#
# Debian packages through debootstrap, Airflow through pip, each with the entry point, the user and the
# folders that docker-compose.yaml and the Dockerfile count on. Needs root on Debian 12
# (its Python with python3-venv), debootstrap and a Docker engine.
# Everything that is downloaded is downloaded on this machine, by its own pip and apt settings; the builds
# themselves run without a network.
#
#   tests/distributed/standin/build.sh [work folder]     default: .demo/standin
#
# AIRFLOW=3.0 takes the version of constraints/airflow-3.0*.txt; without it, that of the Dockerfile.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=${1:-$root/.demo/standin}
suite=bookworm
# The same release as in the images: pip judges the markers of requirements by the Python that runs it.
python=${PYTHON:-/usr/bin/python3}
airflow=${AIRFLOW:-$(sed -n 's/^ARG AIRFLOW_IMAGE=apache\/airflow:\([0-9.]*\).*/\1/p' "$root/Dockerfile")}
constraints=$(find "$root/constraints" -name "airflow-$airflow*.txt" | sort | tail -1)
[ -n "$constraints" ] || { echo "AIRFLOW=$airflow: there is no constraints/airflow-$airflow*.txt" >&2; exit 1; }
airflow=$(basename "$constraints" .txt)
airflow=${airflow#airflow-}
name=imagebuilder-standin
packages=ca-certificates,curl,dumb-init,gosu,libpq5,netcat-openbsd,postgresql,procps,python3,python3-pip,python3-venv,redis-server
mkdir -p "$work"

# What an image was made of is kept as its label: nothing is made twice.
inputs=$(cat "$here"/* "$root/pyproject.toml" "$constraints" | sha256sum | cut -c 1-16)-$airflow
current() { [ "$(docker image inspect --format '{{index .Config.Labels "inputs"}}' "$1" 2>/dev/null)" = "$2" ]; }

if ! current "$name/debian" "$suite-$packages"; then
    echo "stand-in: Debian $suite by debootstrap"
    rm -rf "$work/debian"
    debootstrap --variant=minbase --include="$packages" "$suite" "$work/debian" \
        "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" > "$work/debootstrap.log" 2>&1 ||
        { tail -20 "$work/debootstrap.log"; exit 1; }
    rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/postgresql/*
    tar -C "$work/debian" -c . | docker import --change "LABEL inputs=$suite-$packages" - "$name/debian" > /dev/null
    rm -rf "$work/debian"
fi

if ! current "$name/airflow" "$inputs"; then
    echo "stand-in: Airflow $airflow and providers by pip"
    rm -rf "$work/airflow"
    mkdir -p "$work/airflow"
    "$python" -m venv "$work/pip"
    "$work/pip/bin/python" -m pip install -qq --upgrade pip tomli
    {
        echo "apache-airflow==$airflow"
        cat "$here/providers.txt"
        "$work/pip/bin/python" "$root/docker/requirements.py" "$root/pyproject.toml"
        "$work/pip/bin/python" "$root/docker/requirements.py" "$root/pyproject.toml" local
        sed -n 's/^requires = \["\(.*\)"\]/\1/p' "$root/pyproject.toml"
    } > "$work/airflow/all.txt"
    "$work/pip/bin/pip" download -qq --only-binary :all: --constraint "$constraints" \
        --dest "$work/airflow/wheels" --requirement "$work/airflow/all.txt"
    cp "$here"/airflow-entrypoint.sh "$here"/providers.txt "$work/airflow"
    docker build --quiet --network none --label "inputs=$inputs" --build-arg "AIRFLOW_VERSION=$airflow" \
        --tag "$name/airflow" --file "$here/airflow.Dockerfile" "$work/airflow" > /dev/null
    rm -rf "$work/airflow"
fi

for image in postgres redis; do
    current "$name/$image" "$inputs" ||
        docker build --quiet --network none --label "inputs=$inputs" \
            --tag "$name/$image" --file "$here/$image.Dockerfile" "$here" > /dev/null
done

echo "STAND-IN base images (not the official ones): $name/airflow $name/postgres $name/redis"
