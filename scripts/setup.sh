#!/bin/sh
# Make .venv with s2i and the development tools in it. Needs Python 3.11 or newer; on a bare Debian or Ubuntu it
# installs python3-venv when it may.
set -eu

say() { printf 'setup  %s\n' "$1"; }

# The first Python that is new enough, unless another one can be used as it is and was built with optimisations: with
# that everything starts in two thirds of the time. Those of distributions (in /usr) are, and do not say so.
optimised='import ensurepip, venv, sys, sysconfig
flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
sys.exit(sys.base_prefix != "/usr" and "--enable-optimizations" not in flags)'
for python in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        found=${found:-$(command -v "$python")}
        if "$python" -c "$optimised" 2>/dev/null; then
            found=$(command -v "$python")
            break
        fi
    fi
done
if [ -z "${found:-}" ]; then
    echo "error: no Python 3.11 or newer on PATH" >&2
    echo "  fix: install one (Debian 12, Ubuntu 24.04 and newer have it: apt-get install python3 python3-venv)" >&2
    exit 2
fi

if [ ! -x .venv/bin/python ]; then
    if ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian splits these off; without them `python3 -m venv` leaves half an environment behind.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "install python3-venv (Debian keeps it apart from python3)"
            apt-get -qq update </dev/null
            DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y python3-venv </dev/null >/dev/null
        else
            echo "error: $found has no venv module" >&2
            echo "  fix: sudo apt-get install python3-venv" >&2
            exit 2
        fi
    fi
    say "make .venv with $("$found" --version), $found"
    rm -rf .venv
    "$found" -m venv .venv
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
# pip of a virtual environment brings its own certificate authorities; this machine's (a company proxy's) count too.
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -z "${PIP_CERT:-}" ] && [ -n "$bundle" ] && [ -r "$bundle" ]; then
        export PIP_CERT="$bundle"
    fi
done

say "install s2i and the development tools"
.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1' 2>.venv/pip.log || { cat .venv/pip.log >&2; exit 75; }
.venv/bin/python -m pip install --quiet --editable . --group dev 2>.venv/pip.log || { cat .venv/pip.log >&2; exit 75; }
# Modules that are never compiled are compiled again at each start, where PYTHONDONTWRITEBYTECODE is set.
.venv/bin/python -m compileall -q s2i buildpacks
say "done: .venv/bin/s2i"
