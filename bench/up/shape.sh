# The cluster of cluster.yaml, for straight.sh.
# shellcheck shell=bash disable=SC2034 # it reads them
name=bench-up lan=10.216.0 planes="one" workers="two three"
