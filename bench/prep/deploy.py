"""The 27 tasks of bench/src/tasks.rs for pyinfra."""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

FILES = Path(__file__).parent / "files"

server.hostname(
    name="Host name",
    hostname=host.data.own_name,
)
files.link(
    name="Time zone",
    path="/etc/localtime",
    target="/usr/share/zoneinfo/Europe/Berlin",
)
apt.packages(
    name="Packages",
    packages=["chrony", "cron", "curl", "ethtool", "htop", "jq", "rsync", "socat"],
    no_recommends=True,
)
server.user(
    name="User",
    user="ada",
    shell="/bin/bash",
    groups=["sudo"],
    append=True,
)
server.user_authorized_keys(
    name="Key",
    user="ada",
    public_keys=[(FILES / "ada.pub").read_text().strip()],
)


def put(src, dest, mode="644"):
    return {
        "src": str(FILES / src),
        "dest": dest,
        "mode": mode,
        "user": "root",
        "group": "root",
    }


files.put(
    name="Sudoers",
    **put("sudoers", "/etc/sudoers.d/bramble-ada", "440"),
)
files.put(
    name="Modules",
    **put("modules.conf", "/etc/modules-load.d/bench.conf"),
)
server.sysctl(
    name="Kernel parameter 1",
    key="net.ipv4.ip_forward",
    value=1,
    persist=True,
    persist_file="/etc/sysctl.d/90-bramble-ip-forward.conf",
)
server.sysctl(
    name="Kernel parameter 2",
    key="net.ipv4.tcp_keepalive_time",
    value=600,
    persist=True,
    persist_file="/etc/sysctl.d/90-bramble-tcp-keepalive-time.conf",
)
server.sysctl(
    name="Kernel parameter 3",
    key="net.ipv4.conf.all.rp_filter",
    value=2,
    persist=True,
    persist_file="/etc/sysctl.d/90-bramble-rp-filter.conf",
)
files.line(
    name="Hosts line 1",
    path="/etc/hosts",
    line="10.215.0.1\tgate.bench.internal",
)
files.line(
    name="Hosts line 2",
    path="/etc/hosts",
    line="10.215.0.2\tmirror.bench.internal",
)
files.line(
    name="Hosts line 3",
    path="/etc/hosts",
    line="10.215.0.3\tregistry.bench.internal",
)
files.put(
    name="Options of chrony",
    **put("chrony", "/etc/default/chrony"),
)
systemd.service(
    name="Service chrony",
    service="chrony.service",
    running=True,
    enabled=True,
)
systemd.service(
    name="Service cron",
    service="cron.service",
    running=True,
    enabled=True,
)
systemd.service(
    name="Service ssh",
    service="ssh.service",
    running=True,
    enabled=True,
)
files.directory(
    name="Folder 1",
    path="/srv/bench",
    mode="755",
    user="root",
    group="root",
)
files.directory(
    name="Folder 2",
    path="/srv/bench/data",
    mode="750",
    user="root",
    group="root",
)
files.directory(
    name="Folder 3",
    path="/srv/bench/logs",
    mode="755",
    user="root",
    group="root",
)
files.directory(
    name="Folder 4",
    path="/srv/bench/private",
    mode="700",
    user="root",
    group="root",
)
files.put(
    name="File 1",
    **put("motd", "/etc/motd"),
)
files.put(
    name="File 2",
    **put("issue.net", "/etc/issue.net"),
)
files.put(
    name="File 3",
    **put("profile.sh", "/etc/profile.d/bench.sh"),
)
files.put(
    name="File 4",
    **put("logrotate", "/etc/logrotate.d/bench"),
)
files.put(
    name="File 5",
    **put("cron", "/etc/cron.d/bench"),
)
files.put(
    name="File 6",
    **put("app.conf", "/srv/bench/app.conf"),
)
