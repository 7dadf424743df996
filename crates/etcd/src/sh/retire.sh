# A member that the cluster has forgotten must not run: with others of its kind it would be a cluster of its own.
# shellcheck disable=SC2086 # names of pods
etcd_stop "$etcd_home/aside" $etcd_pods
