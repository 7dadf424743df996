#!/bin/sh
# The web page: scripts/web.sh build | check | test. What it is built with is pinned in web/package-lock.json.
set -eu
cd "$(dirname "$0")/../web"

command -v npm >/dev/null || {
	echo 'web: npm is missing' >&2
	echo 'remedy: scripts/setup.sh' >&2
	exit 1
}
installed=node_modules/.installed
if ! cmp -s package-lock.json $installed; then
	npm ci
	cp package-lock.json $installed
fi
# A page that is built anew has the program built anew.
if [ "$1" = build ] && [ -e dist/index.html ]; then
	newer=$(find src public scripts ./*.* ../docs/reference/openapi.json -type f ! -name description.d.ts -newer dist/index.html)
	[ -n "$newer" ] || exit 0
fi
npm run --silent "$1"
