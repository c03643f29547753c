#!/bin/sh
# Installs what uv.lock names into UV_PROJECT_ENVIRONMENT, with the options of `uv sync` given; called by the Dockerfiles.
# Left out is what no process reads: tests of libraries, headers, stubs.
set -eu
secrets=/run/secrets
if [ -f "$secrets/ca" ]; then export SSL_CERT_FILE="$secrets/ca"; fi
if [ -f "$secrets/uv" ]; then export UV_CONFIG_FILE="$secrets/uv"; fi

python=$(command -v python3)
uv=$("$python" platform/deploy/fetch_uv.py)
"$uv" sync --quiet --locked --compile-bytecode --python "$python" "$@"

packages=$("$UV_PROJECT_ENVIRONMENT/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# A folder `tests` that is no Python package is not one of tests: dbt has macros in such.
find "$packages" -type d -name tests -exec test -e '{}/__init__.py' ';' -prune -exec rm -rf '{}' +
find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.a' \) -delete
rm -rf "$packages/pyarrow/include"
