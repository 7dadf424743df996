#!/bin/sh
# Serves /www on port 8080. As process 1 the shell must pass the end signal on itself.
set -eu
httpd -f -p 8080 -h /www &
server=$!
trap 'kill "$server" 2>/dev/null || true; exit 0' TERM INT
wait "$server"
