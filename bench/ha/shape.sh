# The cluster of cluster.yaml, for straight.sh.
# shellcheck shell=bash disable=SC2034 # it reads them
name=bench-ha lan=10.217.0 planes="one two three" workers="four five" shared=10.217.0.100
