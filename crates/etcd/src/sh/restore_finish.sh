# The rest of the control plane.
# shellcheck disable=SC2086 # names of pods
etcd_start "$etcd_home/restore/manifests" $etcd_pods
etcd_await_api
