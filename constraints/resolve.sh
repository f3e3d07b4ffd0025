#!/bin/sh
# Resolve one file of constraints for each version of Airflow, and one for the documentation: names and versions, for every supported Python.
#
# The newest version takes the newest of everything. An older one takes what was there a day after its release,
# as the constraints that Airflow publishes do; only the tools of the extras (pytest, moto, ...) are newer.
# Usage: UV=.venv/bin/uv sh constraints/resolve.sh 3.0.6 3.1.8 ...
set -eu
cd "$(dirname "$0")/.."

day_after_release() {
  case "$1" in
    3.0.6) echo 2025-08-30 ;;
    3.1.8) echo 2026-03-12 ;;
    3.2.2) echo 2026-05-30 ;;
  esac
}

resolve() {
  "${UV:-uv}" pip compile -q --universal --python-version 3.10 --upgrade --no-annotate --no-header \
    --no-emit-index-url --no-emit-package airflow-imagebuilder "$@"
}

# Every extra but docs, whose docutils the AWS CLI does not accept.
extras() { echo --extra local --extra testing --extra dev --extra compose; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in "$@"; do
  echo "apache-airflow==$version" >"$work/airflow.txt"
  day=$(day_after_release "$version")
  if [ -n "$day" ]; then
    resolve --exclude-newer "$day" -c "$work/airflow.txt" pyproject.toml -o "$work/runtime.txt"
    mv "$work/runtime.txt" "$work/airflow.txt"
  fi
  echo uv | resolve $(extras) -c "$work/airflow.txt" pyproject.toml - -o "constraints/airflow-$version.txt"
done
# The site describes the newest version, without the tests.
echo uv | resolve --extra docs --extra local -c "$work/airflow.txt" pyproject.toml - -o constraints/docs.txt
