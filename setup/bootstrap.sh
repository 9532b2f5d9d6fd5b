#!/usr/bin/env bash
# Brings what the portal needs before its first line of Python can run: system packages, the Python environment,
# Cassandra's jars and the pages' scripts of others. Idempotent, and quick when nothing is missing: each part is redone
# only when its input changed.
#
#   setup/bootstrap.sh        what `make run` needs
#   setup/bootstrap.sh dev    what `make test` needs on top (test libraries, a Chromium)
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-run}
venv=.venv
lib=${CLUSTER_LIB:-var/cassandra/lib}

fail() { echo "error: $*" >&2; exit 1; }

# One progress line with its duration; what the command prints is shown only when it fails.
step() {
    local title=$1 began=$SECONDS log
    shift
    log=$(mktemp)
    printf '%s ... ' "$title"
    if "$@" >"$log" 2>&1 </dev/null; then
        echo "$((SECONDS - began)) s"
        rm -f "$log"
    else
        echo "failed"
        tail -n 15 "$log" >&2
        fail "$title failed; all it printed: $log"
    fi
}

# The first Python of 3.11 or newer that can make environments.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# The same places that cluster/java_command.py looks at.
has_java() {
    local java
    for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/*17*/bin/java; do
        if "$java" -version 2>&1 | grep -q 'version "17[."]'; then return 0; fi
    done
    return 1
}

find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
    "$venv/bin/python" - 2>/dev/null <<'PYTHON'
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))
PYTHON
}

# Debian's names of what is missing.
missing_packages() {
    has_java || echo openjdk-17-jre-headless
    if [ ! -e "$lib/.pom" ] && ! command -v mvn >/dev/null; then echo maven; fi
    [ -x "$venv/bin/python" ] || find_python >/dev/null || echo python3 python3-venv
    command -v make >/dev/null || echo make
    if ! assets_are_there && ! command -v npm >/dev/null; then echo npm; fi
    if [ "$kind" = dev ]; then
        if [ ! -e "$venv/.chromium" ] && ! find_chromium >/dev/null; then echo chromium; fi
    fi
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -q -y --no-install-recommends "$@"
}

bring_packages() {
    local missing
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "${missing// /}" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2086  # a list of words
        step "system packages: $missing" install_packages $missing
        has_java || fail "Java 17 is still missing after installing: $missing"
    else
        fail "please install: $missing(Debian: sudo apt-get install $missing), then run this again"
    fi
}

# Everything pip reads, and the Python it reads it for: the environment is made again when one of them changes.
requirements_stamp() {
    cat requirements.txt constraints.txt "$@" | cksum
    "$venv/bin/python" -c 'import sys; print(sys.version)' 2>/dev/null || true
}

bring_python() {
    local wanted=requirements.txt stamp
    stamp=$(requirements_stamp)
    if [ "$kind" = dev ]; then
        wanted=requirements-dev.txt
        stamp=$(requirements_stamp requirements-dev.txt)
    fi
    [ "$(cat "$venv/.installed-$kind" 2>/dev/null)" != "$stamp" ] || return 0
    [ -x "$venv/bin/python" ] || step "Python environment in $venv" "$(find_python)" -m venv "$venv"
    step "Python packages of $wanted" "$venv/bin/python" -m pip install --disable-pip-version-check -r "$wanted"
    if [ "$kind" = dev ]; then
        requirements_stamp requirements-dev.txt >"$venv/.installed-dev"
    fi
    requirements_stamp >"$venv/.installed-run"
}

copy_jars() {
    rm -rf "$lib.new"
    mvn -B -q -f cluster/pom.xml dependency:copy-dependencies -DoutputDirectory="$(realpath -m "$lib.new")" -DincludeScope=runtime
    cksum <cluster/pom.xml >"$lib.new/.pom"
    rm -rf "$lib"
    mv "$lib.new" "$lib"
}

bring_jars() {
    [ "$(cat "$lib/.pom" 2>/dev/null)" != "$(cksum <cluster/pom.xml)" ] || return 0
    command -v mvn >/dev/null || fail "Maven is missing and cluster/pom.xml changed: please install maven"
    mkdir -p "$(dirname "$lib")"
    step "Cassandra's jars by Maven" copy_jars
}

assets_are_there() { [ "$(cat assets/node_modules/.installed 2>/dev/null)" = "$(cksum <assets/package-lock.json)" ]; }

install_assets() {
    (cd assets && npm ci --ignore-scripts --no-audit --no-fund)
    cksum <assets/package-lock.json >assets/node_modules/.installed
}

# The chart library of the pages.
bring_assets() {
    assets_are_there || step "Scripts of others by npm" install_assets
}

# What the tests of the libvirt builder need: no other test does, so without it they are skipped and all else goes on.
add_libvirt() {
    local missing="" include
    include=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    command -v pkg-config >/dev/null && pkg-config --exists libvirt || missing="libvirt-dev pkg-config"
    command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
    [ -e "$include/Python.h" ] || missing="$missing python3-dev"
    if [ -n "$missing" ]; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "please install: $missing"
        # shellcheck disable=SC2086  # a list of words
        step "system packages: $missing" install_packages $missing
    fi
    step "Python packages of requirements-libvirt.txt" \
        "$venv/bin/python" -m pip install --disable-pip-version-check -r requirements-libvirt.txt
}

bring_libvirt() {
    [ "$(cat "$venv/.libvirt" 2>/dev/null)" != "$(cksum <requirements-libvirt.txt)" ] || return 0
    if (add_libvirt); then
        cksum <requirements-libvirt.txt >"$venv/.libvirt"
    else
        echo "the tests of the libvirt builder will be skipped"
    fi
}

[ "$kind" = run ] || [ "$kind" = dev ] || fail "usage: setup/bootstrap.sh [run|dev]"
mkdir -p var
# Two make targets at once (make -j, two terminals) take turns; the second finds everything done.
exec 9>var/bootstrap.lock
if command -v flock >/dev/null; then flock 9; fi
bring_packages
bring_python
if [ "$kind" = dev ]; then bring_libvirt; fi
bring_jars
bring_assets
if [ "$kind" = dev ] && [ ! -e "$venv/.chromium" ]; then touch "$venv/.chromium"; fi
