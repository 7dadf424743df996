# The rest of the control plane, then nothing is under way here any more.
# shellcheck disable=SC2086 # names of pods
etcd_start "$etcd_home/restore/manifests" $etcd_pods
etcd_await_api
rm -rf "$etcd_home/restore"
