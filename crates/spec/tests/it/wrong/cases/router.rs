//! Mistakes in the router's two sides, and in the addresses and names that it gives.

use super::{Case, HEAD, ONE};

pub const GATE: &str = "  - {name: gate, roles: [router], address: 192.168.1.100}\n";

/// A file with a router, its section, and one sound machine behind it.
pub fn router(section: &str) -> String {
    with(section, "")
}

/// The same with more machines.
pub fn with(section: &str, more: &str) -> String {
    format!("{HEAD}  network: {{lan: 10.77.0.0/24}}\n  router: {section}\n  machines:\n{GATE}{ONE}{more}")
}

/// A file with a network and machines.
fn network(network: &str, machines: &str) -> String {
    format!("{HEAD}  network: {{{network}}}\n  machines:\n{machines}{ONE}")
}

/// One with a device of a hardware address.
fn reservations(list: &str) -> String {
    with(&format!("{{dhcp: {{reservations: [{list}]}}}}"), "  - {name: two, mac: \"b8:27:eb:00:00:02\"}\n")
}

fn records(list: &str) -> String {
    router(&format!("{{dns: {{records: [{list}]}}}}"))
}

pub fn cases() -> Vec<Case> {
    [sides(), uplink(), lent(), names(), words()].concat()
}

fn sides() -> Vec<Case> {
    let lan = "lan: 10.77.0.0/24";
    vec![
        ("two-routers", network(lan, &format!("{GATE}  - {{name: door, «roles»: [router], address: 192.168.1.101}}\n")), "one router", "away from one"),
        ("router-without-machine", format!("{HEAD}  network: {{{lan}}}\n  «router»: {{}}\n  machines:\n{ONE}"), "no machine has that role", "roles: [router]"),
        ("router-without-lan", format!("{HEAD}  machines:\n  - {{name: gate, «roles»: [router], address: 192.168.1.100}}\n{ONE}"), "no `network.lan`", "such as 10.77.0.0/24"),
        ("router-lan", network("lan: «10.77.0.8/30»", GATE).replace("10.77.0.11", "10.77.0.10"), "the LAN 10.77.0.8/30: it has fewer than eight addresses", "private IPv4 network"),
        ("router-lan", network("lan: «\"fd00:77::/64\"»", GATE).replace("10.77.0.11", "\"fd00:77::11\", podRange: 10.244.1.0/24"), "fd00:77::/64: it is an IPv6 network", "network.lan6"),
        ("router-lan", network("lan: «11.0.0.0/24»", GATE).replace("10.77.0.11", "11.0.0.11"), "11.0.0.0/24: its addresses belong to somebody", "private"),
        ("router-lan", network("lan: «172.0.0.0/8»", GATE).replace("10.77.0.11", "172.16.0.11, podRange: 10.244.1.0/24"), "172.0.0.0/8", "private"),
        ("router-lan", network("lan: «169.254.7.0/24»", GATE).replace(ONE, "  - {name: one, roles: [control-plane], mac: \"b8:27:eb:00:00:01\"}\n"), "machines can't have addresses in it", "private"),
        ("no-address", network(lan, "  - {name: «gate», roles: [router]}\n"), "`gate` has neither `address` nor `management`", "is reached now"),
        ("router-two-addresses", router("{lan: {address: «10.77.0.1»}}").replace("192.168.1.100", "10.77.0.254"), "both 10.77.0.1 and 10.77.0.254", "management"),
        ("router-address-taken", network(lan, "  - {name: gate, roles: [router], address: 192.168.1.100}\n  - {name: two, address: «10.77.0.1»}\n"), "10.77.0.1 is the router's own", "router.lan.address"),
        ("router-address-taken", with("{lan: {address: 10.77.0.12}}", "  - {name: two, address: «10.77.0.12»}\n"), "10.77.0.12 is the router's own", "another address"),
        ("duplicate-address", network(lan, "  - {name: gate, roles: [router], address: 10.77.0.1}\n  - {name: two, address: «10.77.0.1»}\n"), "`10.77.0.1` is given twice", "of its own"),
        ("edge-address", network("lan: 10.77.0.0/16", "  - {name: gate, roles: [router], address: «10.77.255.255»}\n").replace("10.77.0.11", "10.77.0.11, podRange: 10.244.1.0/24"), "10.77.255.255 is the broadcast address", "between"),
        ("outside-router-lan", router("{lan: {address: «10.78.0.1»}}"), "10.78.0.1 is not in the LAN 10.77.0.0/24", "between the first and the last"),
        ("outside-router-lan", router("{lan: {address: «10.77.0.0»}}"), "10.77.0.0 is the network address", "between the first and the last"),
        ("address-not-ipv4", router("{lan: {address: «\"fd00:77::1\"»}}"), "`fd00:77::1` is not an IPv4 address", "of the LAN 10.77.0.0/24"),
        ("bad-address", router("{lan: {address: «10.77.0.1/24»}}"), "`10.77.0.1/24` is not an IP address", "of the LAN"),
        ("bad-interface", router("{lan: {interface: «eth 0»}}"), "`eth 0` can't be the name", "ip link"),
        ("bad-lan6", network("lan: 10.77.0.0/24, lan6: «\"fd00:77::/56\"»", GATE), "fd00:77::/56 can't be the IPv6 range of the LAN: it has not the size", "/64"),
        ("bad-lan6", network("lan: 10.77.0.0/24, lan6: «10.78.0.0/24»", GATE), "10.78.0.0/24 can't be the IPv6 range", "fd00:77::/64"),
        ("bad-lan6", network("lan: 10.77.0.0/24, lan6: «\"fe80::/64\"»", GATE), "machines can't have addresses in it", "fd00:77::/64"),
        ("range-host-bits", network("lan: 10.77.0.0/24, lan6: «\"fd00:77::1/64\"»", GATE), "fd00:77::1/64 is an address inside", "`fd00:77::/64`"),
        ("lan6-without-router", network("lan: 10.77.0.0/24, «lan6»: \"fd00:77::/64\"", ""), "no machine has that role", "roles: [router]"),
        ("wrong-type", network("lan: 10.77.0.0/24, lldp: «\"on\"»", ""), "`network.lldp` takes true or false", "`true`"),
        ("vip-taken", network(lan, GATE).replace("spec:", "spec:\n  kubernetes: {endpoint: {vip: «10.77.0.1»}}"), "10.77.0.1 is that of `gate`", "no machine has"),
        ("domain-local", network("lan: 10.77.0.0/24, domain: «local»", GATE), "multicast DNS", "home.internal"),
        ("domain-of-services", network("lan: 10.77.0.0/24, domain: «cluster.local»", GATE), "`cluster.local`", "two name servers"),
        ("domain-of-services", network(lan, GATE).replace("spec:", "spec:\n  kubernetes: {dnsDomain: «svc.lab.internal»}"), "`lab.internal` and that of Kubernetes' services, `svc.lab.internal`", "two name servers"),
    ]
}

fn uplink() -> Vec<Case> {
    let fixed = |rest: &str| router(&format!("{{uplink: {{address: 192.168.1.100/24, {rest}}}}}"));
    vec![
        ("bad-interface", router("{uplink: «-eth0»}"), "`-eth0`", "such as eth0"),
        ("bad-interface", router("{uplink: «192.168.1.100»}"), "`192.168.1.100` can't be the name of a network card", "ip link"),
        ("bad-interface", router("{uplink: {interface: «averyverylongname»}}"), "`averyverylongname`", "ip link"),
        ("uplink-is-lan", router("{uplink: eth0, lan: {interface: «eth0»}}"), "`eth0` can't be the uplink and the side of the LAN", "two network cards"),
        ("uplink-is-lan", router("{uplink: {interface: wlan0}, lan: {interface: «wlan0»}}"), "`wlan0`", "two network cards"),
        ("wrong-type", router("{uplink: «[eth0]»}"), "takes text or a section with keys", "give it"),
        ("bad-uplink-address", router("{uplink: {address: «192.168.1.100», gateway: 192.168.1.1}}"), "`192.168.1.100` is no address of the uplink", "192.168.1.100/24, or write `dhcp`"),
        ("bad-uplink-address", router("{uplink: {address: «auto», gateway: none}}"), "`auto` is no address", "write `dhcp`"),
        ("unusable-address", router("{uplink: {address: «127.0.0.2/24», gateway: none}}"), "127.0.0.2: it is the machine's own loopback", "another one"),
        ("uplink-in-lan", router("{uplink: {address: «10.77.0.50/16», gateway: 10.77.1.1}}"), "10.77.0.0/16 and the LAN 10.77.0.0/24 overlap", "networks of their own"),
        ("uplink-edge", router("{uplink: {address: «192.168.2.255/24», gateway: 192.168.2.1}}"), "192.168.2.255 is the broadcast address of 192.168.2.0/24", "in between"),
        ("uplink-moves", router("{uplink: {address: «192.168.1.50/24», gateway: 192.168.1.1}}"), "gets 192.168.1.50, but SSH looks for the router at 192.168.1.100", "at both places"),
        ("uplink-without-gateway", router("{uplink: {address: «192.168.1.100/24»}}"), "no `gateway`", "`gateway: none`"),
        ("bad-gateway", fixed("gateway: «192.168.2.1»"), "192.168.2.1 can't be the next router of 192.168.1.100/24", "another address of 192.168.1.0/24"),
        ("bad-gateway", fixed("gateway: «192.168.1.100»"), "192.168.1.100 can't be the next router of 192.168.1.100/24", "another address"),
        ("bad-address", fixed("gateway: «fritz.box»"), "`fritz.box` is not an IP address", "as digits"),
        ("unusable-address", fixed("gateway: 192.168.1.1, dns: [«127.0.0.53»]"), "a name server can't have the address 127.0.0.53", "as digits"),
        ("uplink-option", router("{uplink: {address: dhcp, «gateway»: 192.168.1.1}}"), "`gateway` of the uplink means nothing", "give `address`"),
        ("uplink-option", router("{uplink: {interface: eth0, «dns»: [192.168.1.1]}}"), "`dns` of the uplink means nothing", "remove it"),
        ("bad-ssid", router("{uplink: {interface: wlan0, wifi: {ssid: «\"\"», passwordFile: p, country: DE}}}"), "name of a wireless network", "1 to 32 bytes"),
        ("bad-ssid", router("{uplink: {interface: wlan0, wifi: {ssid: «a-name-of-thirty-three-characters!», passwordFile: p, country: DE}}}"), "`a-name-of", "32 bytes"),
        ("bad-country", router("{uplink: {interface: wlan0, wifi: {ssid: home, passwordFile: p, country: «de»}}}"), "`de` is not the code of a country", "write DE"),
        ("bad-country", router("{uplink: {interface: wlan0, wifi: {ssid: home, passwordFile: p, country: «UK»}}}"), "`UK`", "write GB"),
        ("bad-country", router("{uplink: {interface: wlan0, wifi: {ssid: home, passwordFile: p, country: «Germany»}}}"), "`Germany`", "such as DE"),
        ("bad-path", router("{uplink: {interface: wlan0, wifi: {ssid: home, passwordFile: «\"\"», country: DE}}}"), "can't be a path", "relative"),
        ("missing-key", router("{uplink: {interface: wlan0, wifi: «{ssid: home, country: DE}»}}"), "`router.uplink.wifi` has no `passwordFile`", "File with its password"),
    ]
}

fn lent() -> Vec<Case> {
    let pool = |text: &str| router(&format!("{{dhcp: {{pool: «{text}»}}}}"));
    let device = "mac: \"b8:27:eb:00:00:99\"";
    vec![
        ("pool-outside-lan", pool("10.78.0.200-10.78.0.250"), "10.78.0.200-10.78.0.250 is not inside the LAN 10.77.0.0/24", "last quarter"),
        ("pool-outside-lan", pool("10.77.0.200-10.77.1.20"), "10.77.0.200-10.77.1.20 is not inside", "addresses of the LAN"),
        ("pool-backwards", pool("10.77.0.250-10.77.0.200"), "begins at 10.77.0.250, after its end", "write 10.77.0.200-10.77.0.250"),
        ("pool-edge", pool("10.77.0.200-10.77.0.255"), "reaches the edge", "first and last"),
        ("pool-over-router", pool("10.77.0.1-10.77.0.9"), "the router's own address 10.77.0.1", "begin the pool after it"),
        ("pool-too-large", pool("10.64.0.100-10.79.0.100").replace("10.77.0.0/24", "10.64.0.0/11").replace("10.77.0.11", "10.77.0.11, podRange: 10.244.1.0/24"), "more than 65536 addresses", "smaller"),
        ("bad-pool", pool("10.77.0.200"), "`10.77.0.200` is not a pool", "or `none`"),
        ("bad-pool", pool("10.77.0.200-250"), "`10.77.0.200-250` is not a pool", "first and the last"),
        ("bad-pool", pool("10.77.0.192/26"), "`10.77.0.192/26` is not a pool", "10.77.0.200-10.77.0.250"),
        ("address-in-pool", with("{dhcp: {pool: 10.77.0.50-10.77.0.99}}", "  - {name: two, address: «10.77.0.60»}\n"), "10.77.0.60 is that of `two`, and the pool 10.77.0.50-10.77.0.99", "outside the pool"),
        ("address-in-pool", router("{dhcp: {pool: 10.77.0.50-10.77.0.99}}").replace("spec:", "spec:\n  kubernetes: {endpoint: {vip: «\"10.77.0.60:8443\"»}}"), "10.77.0.60 is the API's", "outside the pool"),
        ("address-in-pool", router(&format!("{{dhcp: {{pool: 10.77.0.50-10.77.0.99, reservations: [{{{device}, address: «10.77.0.60», name: tv}}]}}}}")), "10.77.0.60 is reserved for `tv`", "outside the pool"),
        ("address-in-pool", router("{dhcp: {pool: 10.77.0.50-10.77.0.99}, ingress: {address: «10.77.0.60»}}"), "10.77.0.60 is that of the ingress", "outside the pool"),
        ("address-in-pool", router("{dhcp: {pool: 10.77.0.50-10.77.0.99}, dns: {records: [{name: nas, address: «10.77.0.60»}]}}"), "10.77.0.60 is that of the name `nas`", "outside the pool"),
        ("address-in-pool", router("{dhcp: {pool: 10.77.0.50-10.77.0.99}, firewall: {forwards: [{port: tcp/8022, to: «10.77.0.60»}]}}"), "10.77.0.60 is where the port `tcp/8022` leads", "outside the pool"),
        ("reserved-twice", reservations(&format!("{{{device}, address: 10.77.0.30}}, {{mac: «B8-27-EB-00-00-99», address: 10.77.0.31}}")), "the hardware address `b8:27:eb:00:00:99` is that of the reservation of 10.77.0.30", "one address"),
        ("reserved-twice", reservations("{mac: «\"b8:27:eb:00:00:02\"», address: 10.77.0.30}"), "`b8:27:eb:00:00:02` is that of `two`", "a machine of this file its own"),
        ("reserved-twice", reservations(&format!("{{{device}, address: 10.77.0.30, name: tv}}, {{mac: \"b8:27:eb:00:00:98\", address: «10.77.0.30»}}")), "10.77.0.30 can't be reserved here: it is reserved for `tv`", "nobody has"),
        ("reserved-twice", reservations(&format!("{{{device}, address: «10.77.0.11»}}")), "10.77.0.11 can't be reserved here: it is that of `one`", "without a reservation"),
        ("reserved-twice", reservations(&format!("{{{device}, address: «10.77.0.1»}}")), "10.77.0.1 can't be reserved here: it is the router's own", "nobody has"),
        ("reserved-twice", reservations(&format!("{{{device}, address: «10.77.0.10»}}")).replace("spec:", "spec:\n  kubernetes: {endpoint: {vip: 10.77.0.10}}"), "10.77.0.10 can't be reserved here: it is the API's", "nobody has"),
        ("outside-router-lan", reservations(&format!("{{{device}, address: «10.78.0.30»}}")), "10.78.0.30 is not in the LAN", "between"),
        ("outside-router-lan", reservations(&format!("{{{device}, address: «10.77.0.255»}}")), "10.77.0.255 is the broadcast address", "between"),
        ("bad-mac", reservations("{mac: «printer», address: 10.77.0.30}"), "`printer` is not a hardware address", "six pairs"),
        ("missing-key", reservations("«{address: 10.77.0.30}»"), "`router.dhcp.reservations[0]` has no `mac`", "Hardware address"),
        ("missing-key", reservations(&format!("«{{{device}}}»")), "`router.dhcp.reservations[0]` has no `address`", "The address that it gets"),
        ("mtu-too-small", router("{dhcp: {mtu: «1000»}}").replace("lan: 10.77.0.0/24", "lan: 10.77.0.0/24, lan6: \"fd00:77::/64\""), "1000 is too small for IPv6", "1280"),
        ("mtu-of-pods", router("{dhcp: {mtu: 1400}}").replace("spec:", "spec:\n  podNetwork: {mtu: «1500»}"), "1500 bytes don't fit", "use 1400 at most"),
        ("out-of-range", router("{dhcp: {lease: «60»}}"), "`router.dhcp.lease` can't be 60", "from 120 to"),
        ("out-of-range", router("{dhcp: {mtu: «100»}}"), "`router.dhcp.mtu` can't be 100", "from 576 to 9216"),
        ("lan-full", network("lan: 10.77.0.8/29", &format!("{GATE}  - {{name: a, mac: \"b8:27:eb:00:00:0a\"}}\n  - {{name: b, mac: \"b8:27:eb:00:00:0b\"}}\n  - {{name: «c», mac: \"b8:27:eb:00:00:0c\"}}\n")), "no address of 10.77.0.8/29 is left for `c`", "`router.dhcp.pool` smaller"),
    ]
}

fn names() -> Vec<Case> {
    let device = "mac: \"b8:27:eb:00:00:99\", address: 10.77.0.30";
    vec![
        ("bad-address", router("{dns: {forwarders: [«dns.google»]}}"), "`dns.google` is not an IP address", "as digits"),
        ("unusable-address", router("{dns: {forwarders: [«127.0.0.1»]}}"), "a name server can't have the address 127.0.0.1", "digits"),
        ("forwarder-is-router", router("{dns: {forwarders: [«10.77.0.1»]}}"), "10.77.0.1 is the router itself", "such as 9.9.9.9"),
        ("duplicate-item", router("{dns: {forwarders: [9.9.9.9, «9.9.9.9»]}}"), "stands twice in `router.dns.forwarders`", "remove one"),
        ("bad-record", records("{name: «\"*\"», address: 10.77.0.40}"), "`*` can't be a name in the domain", "`*.` may stand in front"),
        ("bad-record", records("{name: «My_App», address: 10.77.0.40}"), "`My_App`", "lower-case"),
        ("record-with-domain", records("{name: «apps.lab.internal», address: 10.77.0.40}"), "`apps.lab.internal` names the domain", "write `apps`"),
        ("record-with-domain", records("{name: «\"*.apps.lab.internal\"», address: 10.77.0.40}"), "`*.apps.lab.internal`", "write `*.apps`"),
        ("bad-address", records("{name: apps, address: «one»}"), "`one` is not an IP address", "digits"),
        ("record-twice", records("{name: apps, address: 10.77.0.40}, {name: «apps», address: 10.77.0.40}"), "the name `apps` with the address 10.77.0.40", "remove one"),
        ("name-taken", records("{name: «one», address: 10.77.0.40}"), "a record can't be called `one`: it is the name of the machine `one`", "two devices"),
        ("name-taken", records("{name: «\"*.gate\"», address: 10.77.0.40}"), "a record can't be called `gate`: it is the name of the machine", "another name"),
        ("name-taken", router("{registry: {}, dns: {records: [{name: «registry», address: 10.77.0.40}]}}"), "a record can't be called `registry`: it is the name of the router's registries", "another name"),
        ("name-taken", router(&format!("{{dhcp: {{reservations: [{{{device}, name: tv}}]}}, dns: {{records: [{{name: «tv», address: 10.77.0.40}}]}}}}")), "a record can't be called `tv`: it is the name of another device", "another name"),
        ("name-taken", reservations(&format!("{{{device}, name: «one»}}")), "a device can't be called `one`", "another name"),
        ("name-taken", reservations(&format!("{{{device}, name: tv}}, {{mac: \"b8:27:eb:00:00:98\", address: 10.77.0.31, name: «tv»}}")), "a device can't be called `tv`: it is the name of another device", "another name"),
        ("name-taken", router(&format!("{{registry: {{}}, dhcp: {{reservations: [{{{device}, name: «registry»}}]}}}}")), "a device can't be called `registry`", "another name"),
        ("name-taken", with("{registry: {}}", "  - {name: «registry», address: 10.77.0.12}\n"), "a machine can't be called `registry`", "another name"),
        ("reservation-name", reservations(&format!("{{{device}, name: «My TV»}}")), "`My TV` can't be a name", "such as `my-tv`"),
        ("missing-key", records("«{name: apps}»"), "`router.dns.records[0]` has no `address`", "Its address"),
    ]
}

/// Other words for what the file has.
fn words() -> Vec<Case> {
    let unknown = |section: &str, key: &str, meant: &'static str| -> Case {
        ("unknown-key", router(section), Box::leak(format!("unknown key `{key}`").into_boxed_str()), meant)
    };
    vec![
        unknown("{«wan»: eth0}", "wan", "did you mean `uplink`?"),
        unknown("{«gateway»: 192.168.1.1}", "gateway", "`gateway` belongs under `uplink:`"),
        unknown("{«pool»: none}", "pool", "`pool` belongs under `dhcp:`"),
        unknown("{dhcp: {«range»: none}}", "range", "did you mean `pool`?"),
        unknown("{dhcp: {«hosts»: []}}", "hosts", "did you mean `reservations`?"),
        unknown("{dns: {«nameservers»: [9.9.9.9]}}", "nameservers", "did you mean `forwarders`?"),
        unknown("{dns: {«hosts»: []}}", "hosts", "did you mean `records`?"),
        unknown("{uplink: {«nameservers»: [9.9.9.9]}}", "nameservers", "did you mean `dns`?"),
        unknown("{firewall: {«ports»: []}}", "ports", "did you mean `open`?"),
        unknown("{firewall: {«portForwards»: []}}", "portForwards", "did you mean `forwards`?"),
        unknown("{vpn: {users: [], «wg»: {}}}", "wg", "did you mean `wireguard`?"),
        unknown("{vpn: {users: [], openvpn: {«proto»: udp}}}", "proto", "did you mean `protocol`?"),
        unknown("{«dyndns»: {}}", "dyndns", "did you mean `ddns`?"),
        unknown("{registry: {«path»: /srv/images}}", "path", "did you mean `dir`?"),
    ]
}
