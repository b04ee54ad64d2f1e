#!/usr/bin/env bash
# Lints what GitHub and the container engine read; every linter is heard before this fails.
#
#   actions.sh              everything that we ship
#   actions.sh FILE...      workflows, an `action.yml`, Dockerfiles or shell scripts, for example what `init` wrote
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
tools=$top/.env/bin
failed=0
skipped=()

lint() {
    "$@" || {
        echo "FAILED: ${1##*/} ${*: -1}" >&2
        failed=1
    }
}

needed() {
    [ -x "$1" ] && return
    echo "$1 is missing: run \`make env\` first" >&2
    exit 2
}

github() {
    lint "$tools/zizmor" --offline --no-progress --quiet "$1"
    lint "$tools/node" "$top/.env/node/node_modules/@action-validator/cli/cli.mjs" "$1"
}

if [ $# = 0 ]; then
    cd "$top" || exit 2
    set -- .github/workflows/*.yml action.yml Dockerfile* .ci/run .github/*.sh tests/*.sh tests/*/*.sh
fi
for tool in actionlint zizmor hadolint node; do needed "$tools/$tool"; done
command -v shellcheck >/dev/null || skipped+=(shellcheck)

for file in "$@"; do
    [ -f "$file" ] || {
        echo "$file is no file" >&2
        exit 2
    }
    case "$file" in
    *action.yml | *action.yaml) github "$file" ;;
    *.yml | *.yaml)
        lint "$tools/actionlint" "$file"
        github "$file"
        ;;
    *Dockerfile*) lint "$tools/hadolint" "$file" ;;
    *) command -v shellcheck >/dev/null && lint shellcheck "$file" ;;
    esac
done

[ ${#skipped[@]} = 0 ] || echo "SKIPPED: ${skipped[*]} is not on this machine, so shell scripts were not linted" >&2
[ "$failed" = 0 ] && echo "$# files are clean"
exit "$failed"
