# In: ROOT, the tree. Run by `sh -eu`.
wants=$ROOT/usr/lib/systemd/system/sysinit.target.wants
mkdir -p "$wants"
ln -sf ../bramble-lab-early.service "$wants/bramble-lab-early.service"
# Timers that take dpkg's lock or the processors at moments of their own spoil tests and measurements.
systemctl --quiet --root="$ROOT" disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer fstrim.timer e2scrub_reap.service
systemctl --quiet --root="$ROOT" enable systemd-networkd.service
# Without a configured link this would hold network-online.target back for two minutes.
systemctl --quiet --root="$ROOT" disable systemd-networkd-wait-online.service
rm -f "$ROOT/etc/resolv.conf" "$ROOT/etc/hostname"
: > "$ROOT/etc/resolv.conf"
chroot "$ROOT" update-ca-certificates > /dev/null
# With the package cache made, the first installation on a machine starts at once.
chroot "$ROOT" apt-cache gencaches > /dev/null
