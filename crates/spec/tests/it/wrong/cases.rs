//! The table of wrong files, one a line.

mod care;
mod router;
mod services;

/// Code, text with the place marked, part of the message, part of the hint.
pub type Case = (&'static str, String, &'static str, &'static str);

pub const HEAD: &str =
    "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n";
pub const ONE: &str = "  - {name: one, roles: [control-plane], address: 10.77.0.11}\n";

/// A file with one sound machine and more machines.
pub fn machines(more: &str) -> String {
    format!("{HEAD}  machines:\n{ONE}{more}")
}

/// A file with one sound machine and another section.
pub fn section(more: &str) -> String {
    format!("{HEAD}  {more}\n  machines:\n{ONE}")
}

/// A second machine with one more key.
pub fn key(more: &str) -> String {
    machines(&format!("  - {{name: two, address: 10.77.0.12, {more}}}\n"))
}

/// Three control planes with an endpoint.
pub fn planes(endpoint: &str) -> String {
    format!(
        "{HEAD}  kubernetes: {{endpoint: {endpoint}}}\n  network: {{lan: 10.77.0.0/24}}\n  machines:\n{ONE}  - {{name: two, roles: [control-plane], address: 10.77.0.12}}\n  - {{name: three, roles: [control-plane], address: 10.77.0.13}}\n"
    )
}

pub fn hook(more: &str) -> String {
    section(&format!("hooks:\n  - {{name: motd, {more}}}"))
}

pub fn user(more: &str) -> String {
    section(&format!("users:\n  - {{name: anna, {more}}}"))
}

pub fn all() -> Vec<Case> {
    [
        yaml_cases(),
        shape_cases(),
        machine_cases(),
        network_cases(),
        ssh_cases(),
        extra_cases(),
        care::cases(),
        router::cases(),
        services::cases(),
    ]
    .concat()
}

fn yaml_cases() -> Vec<Case> {
    vec![
        ("empty-file", "«»".into(), "describes nothing", "begin with `apiVersion"),
        ("empty-file", "«#» only a comment\n".into(), "describes nothing", "machines"),
        ("yaml-tab", format!("{HEAD}«\t»machines: []\n"), "a tab", "two spaces"),
        ("yaml-syntax", format!("{HEAD}  machines: [one, two\n«»"), "not valid YAML", "`]`"),
        ("yaml-syntax", format!("{HEAD}  network: {{domain: «@»home}}\n"), "@", "quotes"),
        ("yaml-syntax", format!("{HEAD}  network: domain«:» home\n"), "mapping values are not allowed", "needs quotes"),
        ("yaml-syntax", format!("{HEAD}  network: {{}}\n «t»ime: {{}}\n"), "did not find expected key", "same column"),
        ("several-documents", format!("{}«---»\nkind: Cluster\n", machines("")), "second YAML document", "file of its own"),
        ("duplicate-key", format!("{}  «machines»: []\n", machines("")), "`machines` appears a second time", "remove one"),
        ("duplicate-key", machines("  - {name: two, address: 10.77.0.12, «name»: three}\n"), "(first in line 7)", "join"),
        ("yaml-alias", key("ssh: «*login»"), "`&login`", "in quotes"),
        ("yaml-merge", key("<<: «5»"), "`<<` takes a section", "&name"),
        ("yaml-tag", key("arch: «!cpu» amd64"), "`!cpu`", "remove the tag"),
        ("yaml-key", format!("{}  «[a, b]»: 1\n", machines("")), "a key must be a word", "quotes"),
        ("wrong-type", "«just some text»\n".into(), "`the file` takes a section", "lines of their own"),
        ("not-a-cluster-file", "apiVersion: apps/v1\nkind: «Deployment»\n".into(), "`Deployment` of `apps/v1`", "addons"),
    ]
}

fn shape_cases() -> Vec<Case> {
    vec![
        ("api-version", machines("").replace("bramble.dev/v1alpha1", "«bramble.dev/v2»"), "bramble.dev/v2", "`bramble.dev/v1alpha1`"),
        ("kind", machines("").replace("Cluster", "«cluster»"), "`kind: cluster`", "`kind: Cluster`"),
        ("missing-key", machines("").replace("apiVersion: bramble.dev/v1alpha1\nkind: Cluster", "«kind: Cluster»"), "the file has no `apiVersion`", "add the line `apiVersion: bramble.dev/v1alpha1`"),
        ("missing-key", machines("").replace("metadata: {name: lab}", "metadata: «{}»"), "`metadata` has no `name`", "Name of the cluster"),
        ("missing-key", format!("{HEAD}  «network: {{lan: 10.77.0.0/24}}»\n"), "`spec` has no `machines`", "add `machines:`"),
        ("empty-list", format!("{HEAD}  machines: «[]»\n"), "`machines` is empty", "at least one"),
        ("missing-key", machines("  - «{address: 10.77.0.12}»\n"), "`machines[1]` has no `name`", "Host name and node name"),
        ("no-value", format!("{HEAD}  «machines»:\n"), "`machines` has no value", "give it a value"),
        ("unknown-key", key("«adress»: 10.77.0.12"), "unknown key `adress` in `machines[1]`", "`address` stands in this section already"),
        ("unknown-key", key("«rolse»: [worker]"), "`rolse`", "did you mean `roles`?"),
        ("unknown-key", key("«role»: worker"), "unknown key `role` ", "did you mean `roles`?"),
        ("unknown-key", key("«pod_range»: 10.244.9.0/24"), "`pod_range`", "did you mean `podRange`?"),
        ("unknown-key", key("«user»: pi"), "unknown key `user`", "`user` belongs under `ssh:`"),
        ("unknown-key", section("«version»: v1.34.2"), "unknown key `version` in `spec`", "belongs under `kubernetes:`"),
        ("unknown-key", format!("{}«machines»: []\n", machines("")), "`machines` at the top of the file", "belongs under `spec:`"),
        ("unknown-key", section("«podSubnets»: x"), "`podSubnets`", "podNetwork"),
        ("wrong-type", key("ssh: {port: «\"22\"»}"), "`machines[1].ssh.port` takes a whole number, but this is the text `22`", "remove the quotes: 22"),
        ("wrong-type", key("ssh: {port: «ssh»}"), "the text `ssh`", "digits only"),
        ("wrong-type", key("labels: {tier: «1»}"), "`machines[1].labels.tier` takes text, but this is the number 1", "in quotes"),
        ("wrong-type", user("sudo: «yes»"), "takes true or false, but this is the text `yes`", "write `true`, without quotes"),
        ("wrong-type", key("roles: «worker»"), "takes a list, but this is the text `worker`", "[worker]"),
        ("wrong-type", section("time: «Europe/Berlin»"), "takes a section with keys, but this is the text", "lines of their own"),
        ("wrong-type", section("network: «[a]»"), "but this is a list", "without `- `"),
        ("wrong-type", key("taints: [«5»]"), "takes text or a section with keys, but this is the number 5", "give it"),
        ("wrong-type", key("taints: «{key: a}»"), "takes a list, but this is a section", "begin each item"),
        ("out-of-range", key("ssh: {port: «0»}"), "`machines[1].ssh.port` can't be 0", "from 1 to 65535"),
        ("out-of-range", key("ssh: {port: «70000»}"), "can't be 70000", "from 1 to 65535"),
        ("out-of-range", section("podNetwork: {mtu: «100»}"), "can't be 100", "from 576 to 9216"),
        ("out-of-range", section("podNetwork: {mtu: «9217»}"), "can't be 9217", "from 576 to 9216"),
        ("out-of-range", section("time: {wait: «0»}"), "`time.wait` can't be 0", "from 1 to 3600"),
        ("out-of-range", section("addons: [{name: demo, nodePort: «8080»}]"), "`addons[0].nodePort` can't be 8080", "from 30000 to 32767"),
        ("out-of-range", hook("after: base, check: x, run: y, limit: «0»"), "`hooks[0].limit` can't be 0", "from 1 to 86400"),
        ("unknown-role", key("roles: [«wroker»]"), "unknown role `wroker`", "did you mean `worker`?"),
        ("unknown-role", key("roles: [«master»]"), "unknown role `master`", "known are: router, control-plane, worker"),
        ("duplicate-item", key("roles: [worker, «worker»]"), "`worker` stands twice in `machines[1].roles`", "remove one"),
        ("empty-list", key("roles: «[]»"), "`machines[1].roles` is empty", "at least one"),
        ("unknown-arch", key("arch: «arm32»"), "unknown architecture `arm32`", "arm64"),
        ("unknown-quirk", key("quirks: [«no_clok»]"), "unknown quirk `no_clok`", "did you mean `no-clock`?"),
        ("unknown-plugin", section("podNetwork: {plugin: «calico»}"), "unknown pod network plug-in `calico`", "routed, custom, none"),
        ("unknown-runtime", section("runtime: {source: «docker»}"), "unknown source of the runtime `docker`", "debian, bundle"),
        ("unknown-hosts", section("network: {hosts: «workers»}"), "`workers`", "all, control-plane"),
        ("unknown-effect", key("taints: [{key: a, effect: «NoScheduled»}]"), "unknown taint effect `NoScheduled`", "did you mean `NoSchedule`?"),
        ("unknown-addon", section("addons: [«demmo»]"), "unknown add-on `demmo`", "did you mean `demo`?"),
    ]
}

fn machine_cases() -> Vec<Case> {
    vec![
        ("reserved-name", machines("  - {name: «localhost», address: 10.77.0.12}\n"), "called `localhost`", "choose a name"),
        ("cluster-name", machines("").replace("name: lab", "name: «My_Lab»"), "`My_Lab` can't be a cluster name", "such as `my-lab`"),
        ("machine-name", machines("  - {name: «Two.local», address: 10.77.0.12}\n"), "`Two.local` can't be a machine name", "such as `two-local`"),
        ("duplicate-name", machines("  - {name: «one», address: 10.77.0.12}\n"), "the machine name `one` is given twice", "a name of its own"),
        ("duplicate-address", machines("  - {name: two, address: «10.77.0.11»}\n"), "the address `10.77.0.11` is given twice", "an address of its own"),
        ("duplicate-mac", machines("  - {name: two, address: 10.77.0.12, mac: \"b8:27:eb:00:00:01\"}\n  - {name: three, address: 10.77.0.13, mac: «B8-27-EB-00-00-01»}\n"), "the hardware address `b8:27:eb:00:00:01`", "ip link"),
        ("bad-address", machines("  - {name: two, address: «10.77.0.12/24»}\n"), "`10.77.0.12/24` is not an IP address", "write `10.77.0.12` alone"),
        ("bad-address", machines("  - {name: two, address: «two.example»}\n"), "`two.example`", "management"),
        ("bad-address", machines("  - {name: two, address: «10.77.0.300»}\n"), "`10.77.0.300`", "looks like 10.77.0.11"),
        ("unusable-address", machines("  - {name: two, address: «127.0.0.1»}\n"), "127.0.0.1: it is the machine's own loopback", "other machines"),
        ("unusable-address", machines("  - {name: two, address: «0.0.0.0»}\n"), "any address", "other machines"),
        ("unusable-address", machines("  - {name: two, address: «224.0.0.5»}\n"), "multicast", "other machines"),
        ("unusable-address", machines("  - {name: two, address: «\"fe80::1\"»}\n"), "link-local", "other machines"),
        ("no-address", machines("  - {name: «two»}\n"), "`two` has neither `address` nor `mac`", "add `address:`"),
        ("no-lan", machines("  - {name: «two», mac: \"b8:27:eb:00:00:02\"}\n"), "no `network.lan`", "10.77.0.0/24"),
        ("lan-full", format!("{HEAD}  network: {{lan: 10.77.0.8/29}}\n  machines:\n{ONE}  - {{name: b, mac: \"b8:27:eb:00:00:02\"}}\n  - {{name: c, mac: \"b8:27:eb:00:00:03\"}}\n  - {{name: d, mac: \"b8:27:eb:00:00:04\"}}\n  - {{name: «e», mac: \"b8:27:eb:00:00:05\"}}\n"), "no address of 10.77.0.8/29 is left for `e`", "enlarge `network.lan`"),
        ("bad-mac", key("mac: «b8:27:eb:00:00»"), "`b8:27:eb:00:00` is not a hardware address", "six pairs"),
        ("multicast-mac", key("mac: «01:00:5e:00:00:01»"), "not the hardware address of one interface", "even"),
        ("bad-management", key("management: «ssh://two»"), "`ssh://two` is neither", "host alone"),
        ("label-key", key("labels: {«-tier»: a}"), "`-tier` can't be the key of a label", "at both ends"),
        ("annotation-key", key("annotations: {«a b»: a}"), "`a b` can't be the key of an annotation", "at both ends"),
        ("label-value", key("labels: {tier: «front end»}"), "`front end` can't be the value of a label", "annotation"),
        ("reserved-label", key("labels: {«kubernetes.io/hostname»: two}"), "`kubernetes.io/hostname` is not yours", "remove it"),
        ("taint-form", key("taints: [«dedicated»]"), "`dedicated` is not a taint", "key=value:NoSchedule"),
        ("taint-key", key("taints: [«=x:NoSchedule»]"), "key of a taint", "example.com/dedicated"),
        ("taint-value", key("taints: [«a=b c:NoSchedule»]"), "`b c` can't be the value of a taint", "or nothing"),
        ("unknown-effect", key("taints: [«a=b:NoExecut»]"), "`NoExecut` is no effect", "did you mean `NoExecute`?"),
        ("duplicate-taint", key("taints: [a=b:NoSchedule, «a=c:NoSchedule»]"), "the taint `a` with the effect NoSchedule", "remove one"),
        ("no-control-plane", format!("{HEAD}  «machines»:\n  - {{name: one, address: 10.77.0.11}}\n"), "no machine is a control plane", "roles: [control-plane]"),
        ("no-control-plane", format!("# routers only\n{HEAD}  network: {{lan: 10.77.0.0/24}}\n  «machines»:\n  - {{name: gate, roles: [router], address: 10.77.0.1}}\n"), "no machine is", "give one machine"),
        ("no-endpoint", planes("x").replace("  kubernetes: {endpoint: x}\n", "").replace("spec:", "«spec»:"), "3 control planes need one address", "external: host:port"),
    ]
}

fn network_cases() -> Vec<Case> {
    vec![
        // What stands in for a refused range must cause no further complaint.
        ("range-host-bits", key("podRange: 10.1.2.0/24").replace("spec:\n", "spec:\n  kubernetes: {podRange: «10.1.0.1/16»}\n"), "10.1.0.1/16 is an address inside", "`10.1.0.0/16`"),
        ("bad-range", machines("").replace("10.77.0.11", "10.244.0.11").replace("spec:\n", "spec:\n  kubernetes: {podRange: «all»}\n"), "`all` is not a range", "looks like"),
        ("bad-version", section("kubernetes: {version: «latest»}"), "`latest` is not a release", "such as `v1.34.2`"),
        ("bad-version", section("kubernetes: {version: «v1.34»}"), "`v1.34` names a series", "such as `v1.34.0`"),
        ("unsupported-version", section("kubernetes: {version: «v1.19.9»}"), "Kubernetes v1.19.9 is not supported", "1.20 to 1.37"),
        ("unsupported-version", section("kubernetes: {version: «1.38.0»}"), "Kubernetes 1.38.0", "1.20 to 1.37"),
        ("wrong-type", section("kubernetes: {version: «1.34»}"), "the number 1.34", "in quotes"),
        ("bad-range", section("network: {lan: «10.77.0.0»}"), "`10.77.0.0` is not a range", "`10.77.0.0/24`"),
        ("bad-range", section("kubernetes: {podRange: «10.244.0.0/33»}"), "`10.244.0.0/33`", "looks like"),
        ("range-host-bits", section("network: {lan: «10.77.0.1/24»}"), "10.77.0.1/24 is an address inside", "`10.77.0.0/24`"),
        ("range-too-large", section("network: {lan: «0.0.0.0/0»}"), "every address there is", "yours"),
        ("range-not-ipv4", section("kubernetes: {podRange: «\"fd00:10::/56\"»}"), "fd00:10::/56 is an IPv6 range", "10.244.0.0/16"),
        ("service-range-size", section("kubernetes: {serviceRange: «10.0.0.0/30»}"), "service range 10.0.0.0/30", "/12 to /28"),
        ("bad-domain", section("network: {domain: «home_net»}"), "`home_net` is not a DNS domain", "home.internal"),
        ("bad-cert-name", section("kubernetes: {certSANs: [«\"https://api\"»]}"), "`https://api`", "without port"),
        ("address-outside-lan", format!("{HEAD}  network: {{lan: 10.77.0.0/24}}\n  machines:\n{ONE}  - {{name: two, address: «10.78.0.12»}}\n"), "10.78.0.12 is outside the LAN 10.77.0.0/24", "management"),
        ("edge-address", machines("  - {name: two, address: «10.77.0.255»}\n"), "10.77.0.255 is the broadcast address", "between the first and the last"),
        ("edge-address", machines("  - {name: two, address: «10.77.0.0»}\n"), "10.77.0.0 is the network address", "between the first and the last"),
        ("address-in-range", format!("{HEAD}  network: {{lan: 10.77.0.0/24}}\n  machines:\n{ONE}  - {{name: gate, roles: [router], address: «10.244.3.1»}}\n"), "10.244.3.1 lies inside `kubernetes.podRange`", "nothing else uses"),
        ("overlap", section("kubernetes: {podRange: «10.77.0.0/16»}"), "`network.lan` (10.77.0.0/24) and `kubernetes.podRange` (10.77.0.0/16) overlap", "nothing else uses"),
        ("overlap", section("kubernetes: {serviceRange: «10.244.0.0/20»}"), "`kubernetes.podRange` (10.244.0.0/16) and `kubernetes.serviceRange` (10.244.0.0/20)", "set `kubernetes.serviceRange`"),
        ("overlap", format!("{HEAD}  network: {{lan: «10.96.7.0/24»}}\n  machines:\n  - {{name: one, roles: [control-plane], address: 10.96.7.11}}\n"), "`network.lan` (10.96.7.0/24)", "set `kubernetes.serviceRange`"),
        ("pod-range-too-small", section("kubernetes: {podRange: «10.244.0.0/20»}"), "the pod range 10.244.0.0/20 is too small for a LAN of /24", "/18 or larger"),
        ("pod-range-too-small", section("network: {lan: «10.77.0.0/20»}"), "for a LAN of /20", "/14 or larger"),
        ("pod-range-needed", machines("  - {name: two, address: 10.78.0.12}\n").replace("10.77.0.11", "«10.77.0.11»").replace("address: 10.78.0.12", "address: 10.78.0.12, podRange: 10.244.2.0/24"), "`one` needs a `podRange`", "network.lan"),
        ("pod-range-needed", machines("").replace("10.77.0.11", "«\"fd00:77::11\"»"), "`one` has an IPv6 address", "10.244.1.0/24"),
        ("pod-range-outside", key("podRange: «10.245.1.0/24»"), "10.245.1.0/24 of `two` is not inside 10.244.0.0/16", "enlarge that"),
        ("pod-range-small", key("podRange: «10.244.1.0/29»"), "10.244.1.0/29 of `two` is too small", "/28"),
        ("pod-range-overlap", key("podRange: «10.244.11.0/24»"), "the pod ranges of `one` (10.244.11.0/24) and `two` (10.244.11.0/24)", "range of its own"),
        ("max-pods", section("kubernetes: {maxPods: «500»}"), "500 pods don't fit", "lower `maxPods`"),
        ("two-endpoints", planes("{external: \"api.example:6443\", «vip»: 10.77.0.10}"), "both `external` and `vip`", "keep `external`"),
        ("empty-endpoint", planes("{}").replace("endpoint:", "«endpoint»:"), "neither `external` nor `vip`", "add one of them"),
        ("endpoint-port", planes("{external: «api.example»}"), "`api.example` has no port", "`api.example:6443`"),
        ("bad-endpoint", planes("{external: «\"https://api.example:6443\"»}"), "`https://api.example:6443` is not `host:port`", "without `https://`"),
        ("bad-vip", planes("{vip: «shared»}"), "`shared` is not an address", "10.77.0.10:8443"),
        ("unusable-vip", planes("{vip: «224.0.0.1»}"), "can't be 224.0.0.1", "free address"),
        ("vip-taken", planes("{vip: «10.77.0.12»}"), "10.77.0.12 is that of `two`", "no machine has"),
        ("vip-outside-lan", planes("{vip: «10.78.0.1»}"), "10.78.0.1 is outside the LAN", "next to 10.77.0.11"),
        ("vip-edge", planes("{vip: «10.77.0.255:8443»}"), "10.77.0.255 is the broadcast address of 10.77.0.0/24", "between the first and the last"),
    ]
}

fn ssh_cases() -> Vec<Case> {
    vec![
        ("bad-login", key("ssh: {user: «-oProxyCommand=x»}"), "can't be a login name", "letters"),
        ("key-and-keys", key("ssh: {key: a, «keys»: [b]}"), "twice", "keep `key`"),
        ("bad-key-path", key("ssh: {key: «\"\"»}"), "path of a key file", "id_ed25519"),
        ("key-in-file", key("ssh: {key: «\"-----BEGIN OPENSSH PRIVATE KEY-----\"»}"), "a private key itself", "file only you can read"),
        ("bad-host-key", key("ssh: {hostKey: «aa:bb:cc»}"), "`aa:bb:cc` is not the fingerprint", "ssh-keygen"),
        ("shared-host-key", section("defaults: {ssh: {hostKey: «SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE»}}").replace(ONE, &format!("{ONE}  - {{name: two, address: 10.77.0.12}}\n")), "that of every machine", "move `hostKey`"),
        ("unknown-jump", key("ssh: {jump: «oen»}"), "the machine `oen`", "did you mean `one`?"),
        ("jump-to-itself", key("ssh: {jump: «two»}"), "`two` can't be reached through itself", "remove `jump`"),
        ("bad-jump", key("ssh: {jump: «\"root@gate:99999\"»}"), "`root@gate:99999`", "user@host:port"),
        ("jump-cycle", machines("  - {name: two, address: 10.77.0.12, ssh: {jump: «three»}}\n  - {name: three, address: 10.77.0.13, ssh: {jump: two}}\n"), "`two` to `three` to `two`", "reached directly"),
    ]
}

fn extra_cases() -> Vec<Case> {
    vec![
        ("option-of-other-plugin", section("podNetwork: {plugin: none, «mtu»: 1400}"), "`mtu` means nothing to the plug-in `none`", "plugin: routed"),
        ("option-of-other-plugin", section("podNetwork: {«dir»: cni}"), "`dir` means nothing to the plug-in `routed`", "plugin: custom"),
        ("custom-without-dir", section("podNetwork: {plugin: «custom»}"), "needs `dir`", "conf/"),
        ("bad-path", section("podNetwork: {plugin: custom, dir: «\" \"»}"), "can't be a path", "relative"),
        ("mtu-too-small", section("podNetwork: {mtu: «1000»}").replace("10.77.0.11}", "\"fd00:77::11\", podRange: 10.244.1.0/24}"), "1000 is too small for IPv6", "1280"),
        ("bad-zone", section("time: {zone: «../../etc/passwd»}"), "`../../etc/passwd`", "Europe/Berlin"),
        ("bad-time-server", section("time: {servers: [«\"ntp://a\"»]}"), "`ntp://a` is not a time server", "without scheme"),
        ("bad-proxy", section("proxy: {http: «\"proxy.example:3128\"»}"), "`proxy.example:3128` is not the URL of a proxy", "begin with http://"),
        ("bad-proxy", section("proxy: {http: «\"http://proxy:0\"»}"), "names no valid host and port", "proxy.example:3128"),
        ("secret-in-url", section("proxy: {http: «\"http://anna:hunter2@proxy:3128\"»}"), "holds a user or password", "plans"),
        ("empty-proxy", section("«proxy»: {noProxy: [a]}"), "names no proxy", "remove the section"),
        ("bad-no-proxy", section("proxy: {http: \"http://p:1\", noProxy: [«\"a, b\"»]}"), "`a, b`", "without commas"),
        ("bad-mirror", section("mirrors: {apt: «deb.example»}"), "`deb.example` is not the URL of a package mirror", "http://deb.example/debian"),
        ("bad-registry-mirror", section("mirrors: {registries: {docker.io: [«mirror»]}}"), "a registry mirror", "https://mirror.example"),
        ("bad-registry", section("mirrors: {registries: {«https://docker.io»: [\"https://m\"]}}"), "host of a registry", "docker.io"),
        ("registry-without-mirror", section("mirrors: {registries: {docker.io: «[]»}}").replace("docker.io: «[]»", "«docker.io»: []"), "`docker.io` has no mirror", "remove the line"),
        ("bad-registry", section("mirrors: {trust: [{host: «\"https://r.example\"», caFile: ca.pem}]}"), "`https://r.example` is not the host of a registry", "registry.example:5000"),
        ("missing-key", section("mirrors: {trust: [«{host: r.example}»]}"), "`mirrors.trust[0]` has no `caFile`", "caFile"),
        ("bad-path", section("mirrors: {trust: [{host: r.example, caFile: «-ca»}]}"), "`-ca` can't be a path", "relative"),
        ("trusted-twice", section("mirrors: {trust: [{host: r.example, caFile: a}, {host: «r.example», caFile: b}]}"), "`r.example` has two certificates", "one file"),
        ("bad-registry", section("mirrors: {insecure: [«\"http://s.example\"»]}"), "`http://s.example` is not the host of a registry", "registry.example:5000"),
        ("trusted-and-insecure", section("mirrors: {trust: [{host: r.example, caFile: a}], insecure: [«r.example»]}"), "both checked and not checked", "needs no exception"),
        ("bad-user", section("users: [{name: «Anna»}]"), "`Anna` can't be the name of a user", "lower-case"),
        ("reserved-user", section("users: [{name: «root»}]"), "`root` exists on every machine", "sudo: true"),
        ("duplicate-user", section("users: [{name: anna}, {name: «anna»}]"), "the user `anna` is given twice", "join"),
        ("bad-public-key", user("authorizedKeys: [«ssh-ed25519 AAAA»]"), "`ssh-ed25519 AAAA` is not a public key", ".pub"),
        ("private-key", user("authorizedKeys: [«\"-----BEGIN OPENSSH PRIVATE KEY-----\"»]"), "this is a private key; it", "known to others"),
        ("bad-group", user("groups: [«\"a,b\"»]"), "`a,b` can't be the name of a group", "adm"),
        ("bad-shell", user("shell: «bash»"), "`bash` can't be a login shell", "/bin/bash"),
        ("hook-name", section("hooks: [{name: «a/b», after: base, check: x, run: y}]"), "`a/b` can't be a hook name", "`a-b`"),
        ("duplicate-hook", section("hooks: [{name: a, after: base, check: x, run: y}, {name: «a», after: base, check: x, run: y}]"), "the hook name `a` is given twice", "recorded"),
        ("before-and-after", hook("before: base, «after»: base, check: x, run: y"), "both `before` and `after`", "second hook"),
        ("hook-without-step", hook("check: x, run: y").replace("motd", "«motd»"), "doesn't say when", "after: base"),
        ("bad-step", hook("after: «Base step», check: x, run: y"), "`Base step`", "control-plane/init"),
        ("unknown-machine", hook("after: base, check: x, run: y, machines: [«oone»]"), "the machine `oone`", "did you mean `one`?"),
        ("empty-run", hook("after: base, check: x, run: «\" \"»"), "`run` of the hook `motd` is empty", "remove the hook"),
        ("empty-check", hook("after: base, check: «\"\"», run: y"), "`check` of the hook `motd` is empty", "every time"),
        ("missing-key", section("hooks:\n  - «{name: motd, after: base, run: y}»"), "`hooks[0]` has no `check`", "exits 0"),
        ("nul-in-program", hook("after: base, check: x, run: «\"a\\0b\"»"), "NUL", "remove it"),
        ("unknown-addon", section("addons: [{name: «traefik»}]"), "no built-in add-on `traefik`", "manifests: path"),
        ("reserved-addon", section("addons: [{name: «demo», manifests: x}]"), "takes no manifests", "another name"),
        ("addon-name", section("addons: [{name: «My Shop», manifests: x}]"), "`My Shop` can't be a name of an add-on", "`my-shop`"),
        ("option-of-other-addon", section("addons: [{name: shop, manifests: x, «nodePort»: 30001}]"), "`nodePort` means nothing", "in the manifests"),
        ("duplicate-addon", section("addons: [demo, {name: «demo», nodePort: 30001}]"), "the add-on `demo` is given twice", "remove one"),
    ]
}
