//! Mistakes in what comes in through the router, and in what else it serves.

use super::router::{GATE, router, with};
use super::{Case, HEAD, ONE, key};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGpSm3XYpWgYxMh6cGTbHbTZsk6e6vXyHqbnqzRhTdVy anna@laptop";

/// Router and control plane in one.
fn both(section: &str) -> String {
    format!("{HEAD}  network: {{lan: 10.77.0.0/24}}\n  router: {section}\n  machines:\n  - {{name: gate, roles: [router, control-plane], address: 192.168.1.100}}\n")
}

fn firewall(section: &str) -> String {
    router(&format!("{{firewall: {{{section}}}}}"))
}

fn vpn(section: &str) -> String {
    router(&format!("{{vpn: {{users: [anna], {section}}}}}"))
}

fn registry(section: &str) -> String {
    router(&format!("{{registry: {{{section}}}}}"))
}

fn ddns(section: &str) -> String {
    router(&format!("{{ddns: {{{section}}}}}"))
}

fn client(section: &str) -> String {
    router(&format!("{{backup: {{clients: [{section}]}}}}"))
}

fn disk(section: &str) -> String {
    key(&format!("disks: [{section}]"))
}

pub fn cases() -> Vec<Case> {
    [open(), forwards(), tunnels(), ports(), served(), images(), folders()].concat()
}

fn open() -> Vec<Case> {
    vec![
        ("bad-port", firewall("open: [ssh, «http»]"), "`http` is no port", "write `tcp/8080`"),
        ("bad-port", firewall("open: [ssh, «\"8080\"»]"), "`8080` is no port", "write `tcp/8080` or `udp/8080`"),
        ("bad-port", firewall("open: [ssh, «tcp/0»]"), "`tcp/0`", "from 1 to 65535"),
        ("bad-port", firewall("open: [ssh, «tcp/70000»]"), "`tcp/70000`", "from 1 to 65535"),
        ("bad-port", firewall("open: [ssh, «tcp/90-80»]"), "`tcp/90-80`", "udp/5000-5010"),
        ("wrong-type", firewall("open: [ssh, «8080»]"), "takes text, but this is the number 8080", "in quotes"),
        ("duplicate-item", firewall("open: [ssh, «ssh»]"), "stands twice in `router.firewall.open`", "remove one"),
        ("open-twice", firewall("open: [ssh, «tcp/22»]"), "`tcp/22` is open twice, here and by tcp/22", "remove one"),
        ("open-twice", firewall("open: [ssh, udp/5000-5010, «udp/5010»]"), "`udp/5010` is open twice, here and by udp/5000-5010", "remove one"),
        ("ssh-closed", firewall("«open»: [tcp/8080]"), "shut out SSH", "`trusted`"),
        ("ssh-closed", firewall("«open»: []").replace(GATE, "  - {name: gate, roles: [router], management: gate.example, ssh: {port: 222}}\n"), "shut out SSH at tcp/222", "add `ssh`"),
        ("ssh-closed", firewall("«open»: [tcp/22]").replace("192.168.1.100}", "192.168.1.100, ssh: {port: 2222}}"), "shut out SSH", "add `ssh`"),
        ("bad-range", firewall("trusted: [«home»]"), "`home` is not a range", "looks like"),
        ("range-not-ipv4", firewall("trusted: [«\"fd00::/64\"»]"), "trusted machines have IPv4 addresses", "IPv4 range"),
        ("range-too-large", firewall("trusted: [«128.0.0.0/0»]").replace("128.0.0.0/0", "\"::/0\""), "every address there is", "yours"),
        ("trusted-too-large", firewall("trusted: [«0.0.0.0/1»]"), "0.0.0.0/1 is a large part of the internet", "workstation"),
        ("trusted-inside", firewall("trusted: [«10.77.0.0/16»]"), "10.77.0.0/16 and `network.lan` (10.77.0.0/24) overlap", "outside alone"),
        ("trusted-inside", firewall("trusted: [«10.244.7.0/24»]"), "`kubernetes.podRange` (10.244.0.0/16)", "outside alone"),
    ]
}

fn forwards() -> Vec<Case> {
    let forward = |text: &str| firewall(&format!("forwards: [{text}]"));
    vec![
        ("forwarded-twice", forward("{port: tcp/8443, to: one}, {port: «tcp/8443», to: 10.77.0.30}"), "tcp/8443 is forwarded twice", "one place"),
        ("forward-range", forward("{port: «tcp/80-90», to: one}"), "`tcp/80-90` is more than one port", "by itself"),
        ("forward-to-nobody", forward("{port: tcp/8443, to: «oen»}"), "`oen` is neither a machine", "did you mean `one`?"),
        ("forward-to-router", forward("{port: tcp/8443, to: «gate»}"), "`gate` is the router itself", "firewall.open"),
        ("forward-to-router", forward("{port: tcp/8443, to: «10.77.0.1»}"), "`10.77.0.1` is the router itself", "firewall.open"),
        ("outside-router-lan", forward("{port: tcp/8443, to: «192.168.1.7»}"), "192.168.1.7 is not in the LAN", "between"),
        ("forward-of-own-port", forward("{port: «tcp/22», to: one}"), "tcp/22 can't be forwarded: SSH listens there", "toPort"),
        ("forward-of-own-port", forward("{port: «tcp/2222», to: one}").replace("192.168.1.100}", "192.168.1.100, ssh: {port: 2222}}"), "tcp/2222 can't be forwarded: SSH", "another port"),
        ("forward-of-own-port", firewall("open: [ssh, tcp/8000-9000], forwards: [{port: «tcp/8443», to: one}]"), "tcp/8443 can't be forwarded: the router itself", "another port"),
        ("forward-of-own-port", router("{firewall: {forwards: [{port: «udp/51820», to: one}]}, vpn: {users: []}}"), "udp/51820 can't be forwarded: WireGuard", "another port"),
        ("forward-of-own-port", router("{firewall: {forwards: [{port: «tcp/443», to: one}]}, ingress: {https: 30443}}"), "tcp/443 can't be forwarded: the ingress", "another port"),
        ("bad-port", forward("{port: «\"8443\"», to: one}"), "`8443` is no port", "write `tcp/8443` or `udp/8443`"),
        ("bad-port", forward("{port: «ssh», to: one}"), "`ssh` is the router's own port", "`tcp/8022`, with `toPort: 22`"),
        ("out-of-range", forward("{port: tcp/8443, to: one, toPort: «0»}"), "`router.firewall.forwards[0].toPort` can't be 0", "from 1 to 65535"),
        ("missing-key", forward("«{port: tcp/8443}»"), "`router.firewall.forwards[0]` has no `to`", "Name of a machine"),
    ]
}

fn tunnels() -> Vec<Case> {
    let inside = |section: &str| vpn(section).replace("192.168.1.100", "10.77.0.1");
    vec![
        ("vpn-user", router("{vpn: {users: [«Anna»]}}"), "`Anna` can't be the name of a VPN user", "lower-case"),
        ("vpn-user", router("{vpn: {users: [«\"\"»]}}"), "the name of a VPN user is empty", "lower-case"),
        ("duplicate-item", router("{vpn: {users: [anna, «anna»]}}"), "stands twice in `router.vpn.users`", "remove one"),
        ("missing-key", router("{vpn: «{wireguard: {}}»}"), "`router.vpn` has no `users`", "Who may come in"),
        ("bad-vpn-host", vpn("host: «\"vpn.example.org:51820\"»"), "`vpn.example.org:51820` is neither", "the host alone"),
        ("vpn-without-host", inside("wireguard: {}").replace("vpn:", "«vpn»:"), "can't know where the router is", "vpn.host"),
        ("vpn-overlap", vpn("wireguard: {range: «10.77.0.0/24»}"), "10.77.0.0/24 and `network.lan` (10.77.0.0/24) overlap", "router.vpn.wireguard.range"),
        ("vpn-overlap", vpn("wireguard: {range: «10.244.7.0/24»}"), "`kubernetes.podRange` (10.244.0.0/16)", "nothing else uses"),
        ("vpn-overlap", vpn("openvpn: {range: «10.96.0.0/24»}"), "`kubernetes.serviceRange` (10.96.0.0/16)", "router.vpn.openvpn.range"),
        ("vpn-overlap", vpn("wireguard: {}, openvpn: {range: «10.8.0.0/16»}"), "the range of the other VPN (10.8.0.0/24)", "router.vpn.openvpn.range"),
        ("vpn-overlap", vpn("wireguard: {range: «192.168.1.0/24»}"), "the router's address outside (192.168.1.100/32)", "nothing else uses"),
        ("vpn-overlap", router("{uplink: {address: 192.168.1.100/22, gateway: 192.168.1.1}, vpn: {users: [], wireguard: {range: «192.168.2.0/24»}}}"), "the uplink's network (192.168.0.0/22)", "nothing else uses"),
        ("vpn-overlap", router("{firewall: {trusted: [10.9.0.0/24]}, vpn: {users: [], openvpn: {range: «10.9.0.0/24»}}}"), "a trusted range (10.9.0.0/24)", "nothing else uses"),
        ("vpn-overlap", vpn("wireguard: {}").replace("10.77.0.", "10.8.0.").replace("vpn:", "«vpn»:"), "the VPN range 10.8.0.0/24 and `network.lan`", "router.vpn.wireguard.range"),
        ("vpn-range-size", vpn("wireguard: {range: «10.8.0.0/30»}"), "10.8.0.0/30 has the wrong size for 1 VPN users", "/16 to /29"),
        ("vpn-range-size", vpn("wireguard: {range: «10.0.0.0/15»}"), "10.0.0.0/15 has the wrong size", "/16 to /29"),
        ("vpn-range-size", router("{vpn: {users: [a, b, c, d, e, f], openvpn: {range: «10.8.0.0/29»}}}"), "10.8.0.0/29 has the wrong size for 6 VPN users", "/16 to /28: it has an address for each user and three more"),
        ("vpn-range-public", vpn("wireguard: {range: «11.8.0.0/24»}"), "11.8.0.0/24 belong to somebody", "10.8.0.0/24"),
        ("range-not-ipv4", vpn("wireguard: {range: «\"fd00:8::/64\"»}"), "VPN clients have IPv4 addresses", "IPv4 range"),
        ("unknown-protocol", vpn("openvpn: {protocol: «tpc»}"), "unknown protocol `tpc`", "did you mean `tcp`?"),
        ("out-of-range", vpn("wireguard: {port: «70000»}"), "can't be 70000", "from 1 to 65535"),
    ]
}

fn ports() -> Vec<Case> {
    vec![
        ("port-taken", vpn("wireguard: {}, openvpn: {port: «51820»}"), "OpenVPN and WireGuard can't both listen at the router's port udp/51820", "another port"),
        ("port-taken", vpn("wireguard: {port: 500}, openvpn: {port: «500»}"), "udp/500", "another port"),
        ("port-taken", vpn("openvpn: {port: «22», protocol: tcp}"), "OpenVPN and SSH can't both listen at the router's port tcp/22", "another port"),
        ("port-taken", vpn("wireguard: {port: «53»}"), "WireGuard and DNS can't both listen at the router's port udp/53", "another port"),
        ("port-taken", router("{ingress: {https: «30443»}, vpn: {users: [], openvpn: {port: 443, protocol: tcp}}}"), "the ingress and OpenVPN can't both listen at the router's port tcp/443", "another port"),
        ("port-taken", router("{registry: {}, vpn: {users: [], openvpn: {port: «5001», protocol: tcp}}}"), "OpenVPN and a registry", "another port"),
        ("port-taken", router("{ingress: {address: 10.77.0.40}}").replace("192.168.1.100}", "192.168.1.100, ssh: {port: «443»}}"), "SSH and the ingress can't both listen at the router's port tcp/443", "another port"),
        ("port-taken", router("{«registry»: {mirrors: [{host: docker.io}]}}").replace("192.168.1.100}", "192.168.1.100, ssh: {port: 5010}}"), "a registry and SSH can't both listen at the router's port tcp/5010", "another port"),
        ("port-taken", both("{vpn: {users: [], openvpn: {port: «6443», protocol: tcp}}}"), "OpenVPN and the API server", "another port"),
        ("port-taken", both("{vpn: {users: [], wireguard: {port: «31000»}}}"), "WireGuard and node ports", "another port"),
    ]
}

fn served() -> Vec<Case> {
    let good = "name: home.example.org, zone: example.org, tokenFile: t";
    vec![
        ("ddns-outside-zone", ddns("name: «home.example.com», zone: example.org, tokenFile: t"), "`home.example.com` is not in the zone `example.org`", "ends with `.example.org`"),
        ("ddns-outside-zone", ddns("name: «home», zone: example.org, tokenFile: t"), "`home` is not in the zone", "`home.example.org`"),
        ("ddns-outside-zone", ddns("name: «myexample.org», zone: example.org, tokenFile: t"), "`myexample.org` is not in the zone", "ends with"),
        ("bad-domain", ddns("name: «Home.example.org», zone: example.org, tokenFile: t"), "`Home.example.org` is not a DNS domain", "lower-case"),
        ("missing-key", ddns("name: home.example.org, zone: example.org").replace("{name: home", "«{name: home").replace("org}}", "org}»}"), "`router.ddns` has no `tokenFile`", "API token"),
        ("secret-in-file", ddns("name: home.example.org, zone: example.org, tokenFile: «abcdefghijklmnopqrstuvwxyz0123456789-_AB»"), "the token itself", "make a new one"),
        ("bad-path", ddns("name: home.example.org, zone: example.org, tokenFile: «-t»"), "can't be a path", "relative"),
        ("bad-service-url", ddns(&format!("{good}, source: «Uplink»")), "`Uplink` is not the URL of a page that answers with the address", "or write `uplink`"),
        ("bad-service-url", ddns(&format!("{good}, api: «api.cloudflare.com»")), "`api.cloudflare.com` is not the URL of the API", "https://api.cloudflare.com/client/v4"),
        ("token-in-clear", ddns(&format!("{good}, api: «http://api.example.org/v4»")), "would send the token unencrypted", "write https://"),
        ("out-of-range", ddns(&format!("{good}, every: «5»")), "`router.ddns.every` can't be 5", "from 60 to 86400"),
        ("empty-list", ddns(&format!("{good}, families: «[]»")), "`router.ddns.families` is empty", "at least one"),
        ("unknown-family", ddns(&format!("{good}, families: [«ipv5»]")), "unknown address family `ipv5`", "ipv4"),
        ("empty-ingress", router("{«ingress»: {}}"), "neither where web traffic goes", "node ports"),
        ("outside-router-lan", router("{ingress: {address: «192.168.1.40»}}"), "192.168.1.40 is not in the LAN", "between"),
        ("ingress-address-taken", router("{ingress: {address: «10.77.0.11»}}"), "10.77.0.11 can't be the ingress's: it is that of `one`", "without `address`"),
        ("ingress-address-taken", router("{ingress: {address: «10.77.0.1»}}"), "10.77.0.1 can't be the ingress's", "of its own"),
        ("ingress-address-taken", router("{dhcp: {reservations: [{mac: \"b8:27:eb:00:00:99\", address: 10.77.0.30}]}, ingress: {address: «10.77.0.30»}}"), "it is reserved for `b8:27:eb:00:00:99`", "of its own"),
        ("ingress-to-itself", both("{ingress: {http: «80»}}"), "`http` would lead from the router to the router", "30000 to 32767"),
        ("out-of-range", router("{ingress: {http: «70000»}}"), "`router.ingress.http` can't be 70000", "from 1 to 65535"),
        ("empty-list", client("").replace("[]", "«[]»"), "`router.backup.clients` is empty", "at least one"),
        ("backup-client", client(&format!("{{name: «../etc», key: {KEY}}}")), "`../etc` can't be a backup client", "lower-case"),
        ("backup-client-twice", client(&format!("{{name: laptop, key: {KEY}}}, {{name: «laptop», key: {}}}", KEY.replace("IGpS", "IGpT"))), "the backup client `laptop` is given twice", "its folder"),
        ("backup-key-twice", client(&format!("{{name: laptop, key: {KEY}}}, {{name: phone, key: «{KEY} too»}}")), "that of another client", "of its own"),
        ("backup-key-options", client(&format!("{{name: laptop, key: «'command=\"borg serve\" {KEY}'»}}")), "options of a key", "begin with the key's type"),
        ("bad-public-key", client("{name: laptop, key: «AAAA»}"), "`AAAA` is not a public key", ".pub"),
    ]
}

fn images() -> Vec<Case> {
    let mirror = |text: &str| registry(&format!("mirrors: [{{{text}}}]"));
    let user = |text: &str| registry(&format!("private: {{users: [{text}]}}"));
    let many: Vec<String> = (0..51).map(|i| format!("{}{{host: r{i}.example}}", if i == 50 { "«" } else { "" })).collect();
    vec![
        ("bad-mirror-host", mirror("host: «\"https://docker.io\"»"), "`https://docker.io` is not the host of a registry to mirror", "without https://"),
        ("bad-mirror-host", mirror("host: «registry-1.docker.io»"), "no image's name begins with `registry-1.docker.io`", "write `docker.io`"),
        ("wrong-type", registry("mirrors: [«docker.io»]"), "takes a section with keys, but this is the text `docker.io`", "write `- { host: docker.io }`"),
        ("wrong-type", registry("mirrors: [{host: quay.io}, «\"r.example: 5000\"»]"), "this is the text `r.example: 5000`", "write `- { host: \"r.example: 5000\" }`"),
        ("mirrored-twice", registry("mirrors: [{host: docker.io}, {host: «docker.io»}]"), "the mirrored registry `docker.io` is given twice", "remove one"),
        ("mirror-of-itself", mirror("host: «registry.lab.internal»"), "`registry.lab.internal` is the router", "remove it"),
        ("mirror-of-itself", mirror("host: «\"gate:5000\"»"), "`gate:5000` is the router", "near already"),
        ("bad-mirror-url", mirror("host: docker.io, url: «mirror.example»"), "`mirror.example` is not the URL of a registry", "begin with http"),
        ("mirror-of-a-part", mirror("host: docker.io, url: «\"https://mirror.example/hub\"»"), "`https://mirror.example/hub` is a part of a registry", "port alone"),
        ("secret-in-url", mirror("host: docker.io, url: «\"https://anna:pw@mirror.example\"»"), "the URL of a registry holds a user or password", "without a password"),
        ("half-a-login", mirror("host: docker.io, «user»: anna"), "`passwordFile` is missing beside `user`", "both, or neither"),
        ("half-a-login", mirror("host: docker.io, «passwordFile»: t"), "`user` is missing beside `passwordFile`", "both, or neither"),
        ("registry-user", mirror("host: docker.io, user: «\"a:b\"», passwordFile: t"), "`a:b` can't be a login name", "without a colon"),
        ("too-many-mirrors", registry(&format!("mirrors: [{}»]", many.join(", "))), "50 registries", "remove"),
        ("unknown-key", mirror("host: docker.io, user: anna, «password»: secret"), "unknown key `password`", "did you mean `passwordFile`?"),
        ("empty-list", user("").replace("users: []", "users: «[]»"), "`router.registry.private.users` is empty", "at least one"),
        ("registry-user", user("{name: «\"a b\"», passwordFile: p}"), "`a b` can't be the name of a registry's user", "letters"),
        ("registry-user", user("{name: «-a», passwordFile: p}"), "`-a`", "beginning with"),
        ("registry-user-twice", user("{name: anna, passwordFile: p}, {name: «anna», passwordFile: q}"), "registry's user `anna` is given twice", "one password"),
        ("missing-key", user("«{name: anna}»"), "has no `passwordFile`", "File with the password"),
    ]
}

fn folders() -> Vec<Case> {
    let id = "id: usb-SanDisk_Ultra_0101-0:0";
    vec![
        ("bad-data-dir", registry("dir: «images»"), "`images` can't be a folder of data: it is no absolute path", "/srv/data"),
        ("bad-data-dir", registry("dir: «/»"), "`/` can't be a folder of data", "/srv/data"),
        ("bad-data-dir", registry("dir: «/images»"), "`/images` can't be a folder of data: it is at the top", "/srv/data"),
        ("bad-data-dir", registry("dir: «/srv/../etc»"), "no clean path", "/srv/data"),
        ("bad-data-dir", registry("dir: «\"/srv/my data\"»"), "`/srv/my data`", "/srv/data"),
        ("bad-data-dir", registry("dir: «/tmp/images»"), "`/tmp/images` can't be a folder of data: it is the system's own", "/srv/data"),
        ("bad-data-dir", registry("dir: «/var/lib/bramble/images»"), "the system's own", "/srv/data"),
        ("data-dir-shared", router(&format!("{{registry: {{dir: /srv/data}}, backup: {{dir: «/srv/data/backup», clients: [{{name: a, key: {KEY}}}]}}}}")), "images in /srv/data and backups in /srv/data/backup", "isn't inside the other"),
        ("data-dir-shared", router(&format!("{{registry: {{dir: «/var/lib/bramble-backup»}}, backup: {{clients: [{{name: a, key: {KEY}}}]}}}}")), "images in /var/lib/bramble-backup and backups in /var/lib/bramble-backup", "isn't inside"),
        ("unstable-disk", disk("{id: «/dev/sda», at: /srv/data}"), "`/dev/sda` is not the stable name of a disk", "/dev/disk/by-id"),
        ("unstable-disk", disk("{id: «/dev/disk/by-id/../../sda», at: /srv/data}"), "not the stable name", "/dev/disk/by-id"),
        ("unstable-disk", disk("{id: «..», at: /srv/data}"), "`..` is not the stable name", "names like /dev/sda change"),
        ("unstable-disk", disk("{id: «\"usb stick\"», at: /srv/data}"), "`usb stick`", "/dev/disk/by-id"),
        ("wiped-name", disk("{id: «/dev/disk/by-uuid/0a1b», at: /srv/data, wipe: true}"), "which `wipe` removes", "/dev/disk/by-id"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «data»}}")), "mounted at `data`: it is no absolute path", "/srv/data"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «/»}}")), "a disk can't be mounted at `/`", "/srv/data"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «/var/lib»}}")), "`/var/lib`: it is the system's own", "/srv/data"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «/etc/kubernetes»}}")), "`/etc/kubernetes`: it is the system's own", "/srv/data"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «/var/lib/bramble»}}")), "`/var/lib/bramble`", "/srv/data"),
        ("bad-mount-point", disk(&format!("{{{id}, at: «/home/anna»}}")), "it is somebody's home", "/srv/data"),
        ("disk-twice", disk(&format!("{{{id}, at: /srv/a}}, {{id: «\"/dev/disk/by-id/usb-SanDisk_Ultra_0101-0:0\"», at: /srv/b}}")), "the disk `/dev/disk/by-id/usb-SanDisk_Ultra_0101-0:0` is named twice", "one place"),
        ("disk-twice", disk(&format!("{{{id}, at: /srv/a}}, {{id: «\"usb-SanDisk_Ultra_0101-0:0-part1\"», at: /srv/b}}")), "0:0-part1` is named twice", "a part of it"),
        ("mounted-twice", disk(&format!("{{{id}, at: /srv/a}}, {{id: other, at: «/srv/a/»}}")), "two disks can't both be mounted at `/srv/a`", "folder of its own"),
        ("unknown-filesystem", disk(&format!("{{{id}, at: /srv/a, filesystem: «ext3»}}")), "unknown file system `ext3`", "did you mean `ext4`?"),
        ("unknown-key", disk(&format!("{{{id}, «mountPoint»: /srv/a}}")), "`mountPoint`", "did you mean `at`?"),
        ("missing-key", disk(&format!("«{{{id}}}»")), "`machines[1].disks[0]` has no `at`", "Folder of its own"),
        ("wrong-type", disk("«/dev/sda»"), "takes a section with keys, but this is the text `/dev/sda`", "lines of their own"),
        ("wrong-type", with("{}", "").replace(ONE, &ONE.replace("10.77.0.11", "10.77.0.11, disks: «{id: a, at: /srv/a}»")), "takes a list, but this is a section", "begin each item"),
    ]
}
