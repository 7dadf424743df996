# etcd first: members find each other while nobody writes.
etcd_start "$etcd_home/restore/manifests" etcd
etcd_await
