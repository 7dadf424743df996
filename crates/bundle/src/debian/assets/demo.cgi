#!/bin/sh
# The page: which pod answered whom.
host=$(hostname)
printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<PAGE
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Bramble demo</title>
<style>body{font:1.2rem system-ui;margin:15vh auto;max-width:30rem;text-align:center}code{font-size:1.6rem}</style></head>
<body>
<h1>It works.</h1>
<p>This page was served by</p>
<p><code id="pod">$host</code></p>
<p>to ${REMOTE_ADDR:-someone} on ${REMOTE_PORT:-some port}.</p>
</body>
</html>
PAGE
