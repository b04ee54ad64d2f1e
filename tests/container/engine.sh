#!/usr/bin/env bash
# A container engine for the tests, whose images and containers are its own and go away with it.
#
#   engine.sh install    installs one where there is none and that is possible; never fails for want of one
#   engine.sh serve      starts one, prints its address, and ends it when standard input ends; or prints `SKIPPED: reason`
set -euo pipefail

# The engine that is there is used only on a machine of CI, which is thrown away: the tests give their stand-ins the names
# of real images, and those of a person's engine are not ours to replace.
shared() {
    [ -n "${CI:-}" ] && command -v docker >/dev/null && docker version >/dev/null 2>&1
}

own() {
    [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null && command -v docker >/dev/null
}

install() {
    if own || shared; then
        return
    fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "no container engine can be installed here (that takes root and apt): the container tests will be SKIPPED" >&2
        return
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io >/dev/null ||
        echo "docker.io could not be installed: the container tests will be SKIPPED" >&2
}

clean() {
    kill "$daemon" 2>/dev/null
    wait "$daemon" 2>/dev/null
    # Containers without a network leave the namespace that they shared.
    umount "$folder"/exec/netns/* 2>/dev/null
    rm -rf "$folder"
}

serve_own() {
    folder=$(mktemp -d)
    dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
        --host "unix://$folder/socket" --bridge=none --iptables=false --ip6tables=false >"$folder/log" 2>&1 &
    daemon=$!
    trap clean EXIT
    for _ in $(seq 150); do
        if docker --host "unix://$folder/socket" version >/dev/null 2>&1; then
            echo "unix://$folder/socket"
            cat >/dev/null
            return
        fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    echo "SKIPPED: dockerd does not start here: $(grep -v 'level=info' "$folder/log" | tail -n 1)"
}

serve() {
    if own; then
        serve_own
    elif shared; then
        docker context inspect --format '{{.Endpoints.docker.Host}}'
        cat >/dev/null
    else
        echo "SKIPPED: no container engine: install one as root by \`tests/container/engine.sh install\`"
    fi
}

case "${1:-}" in
install | serve) "$1" ;;
*)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
