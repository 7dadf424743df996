//! Pod network `routed`: a bridge on each machine, addresses by host-local from the machine's own
//! range, routes between the machines by BIRD.
//!
//! BIRD speaks OSPF on the cluster's network: neighbors find each other, so a machine that comes or
//! goes changes no other machine's configuration. The router listens, so that whoever comes in by it
//! reaches pods.

use super::runtime::{DEBIAN_PLUGINS, PLUGINS};
use crate::context::{On, r};
use crate::vpn::learns_pods;
use bramble_machine::kinds::{Action, Check, File, Link, Packages, Service};
use bramble_machine::{Resource, Script, Step};
use bramble_spec::cluster::{PodNetwork, Runtime};
use ipnet::Ipv4Net;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

const BIRD: &str = "/etc/bird/bird.conf";
const RULES: &str = "/etc/bramble-masquerade.nft";
const UNIT: &str = "/etc/systemd/system/bramble-masquerade.service";
/// Plug-ins of Debian's package that the configuration below uses.
const NEEDED: [&str; 4] = ["bridge", "host-local", "loopback", "portmap"];

pub(super) fn step(on: &On) -> Option<Step> {
    let PodNetwork::Routed { mtu, masquerade } = &on.cluster().pod_network else {
        return None;
    };
    let mut out = Vec::new();
    if let Some(range) = on.machine.pod_range {
        out.extend(bridge(on, range, *mtu));
        out.push(r(
            Packages::new("pod-network", ["bird2"]).leaving(["/etc/bird", "/run/bird"])
        ));
        out.extend(bird(on));
        if *masquerade {
            out.extend(mask(on));
        }
    } else if on.router().is_some() && learns_pods(on.cluster()) {
        // BIRD itself comes with the router's other packages.
        out.extend(bird(on));
    }
    (!out.is_empty()).then(|| on.step("pod-network/routed", out))
}

/// What the runtime connects a machine's own pods with.
fn bridge(on: &On, range: Ipv4Net, mtu: Option<u16>) -> Vec<Arc<dyn Resource>> {
    let mut out = Vec::new();
    // The bundle's plug-ins are in the folder itself.
    if on.cluster().runtime == Runtime::Debian {
        out.extend(NEEDED.map(|name| {
            r(Link::new(
                format!("{PLUGINS}/{name}"),
                format!("{DEBIAN_PLUGINS}/{name}"),
            ))
        }));
    }
    let mut bridge = json!({
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": true,
        "hairpinMode": true,
        "ipam": {
            "type": "host-local",
            "ranges": [[{ "subnet": range.to_string() }]],
            "routes": [{ "dst": "0.0.0.0/0" }],
        },
    });
    if let Some(mtu) = mtu {
        bridge["mtu"] = json!(mtu);
    }
    let conflist = json!({
        "cniVersion": "0.4.0",
        "name": "bramble",
        "plugins": [bridge, { "type": "portmap", "capabilities": { "portMappings": true } }],
    });
    let text = serde_json::to_string_pretty(&conflist).unwrap_or_default() + "\n";
    out.push(r(File::text("/etc/cni/net.d/10-bramble.conflist", text)));
    out
}

fn bird(on: &On) -> [Arc<dyn Resource>; 2] {
    let mut bird = File::text(BIRD, bird_config(on)).checked("bird -p -c \"$new\"");
    bird.mode = 0o640;
    bird.group = "bird".into();
    let service = Service::on("bird.service").watching([format!("file:{BIRD}")]);
    [r(bird), r(service.reloading())]
}

/// Pods that leave the cluster wear the machine's address.
fn mask(on: &On) -> [Arc<dyn Resource>; 4] {
    let watch = [format!("file:{RULES}"), format!("file:{UNIT}")];
    [
        r(File::text(RULES, masquerade_rules(on)).checked("nft -c -f \"$new\"")),
        r(File::text(UNIT, MASQUERADE_UNIT)),
        r(Service::on("bramble-masquerade.service").watching(watch)),
        // The unit stays "active" when somebody flushes the rules.
        r(Action::new(
            "masquerade-rules",
            "load the masquerade rules again",
            Check::Succeeds("nft list table ip bramble-masquerade >/dev/null 2>&1".into()),
            Script::of("systemctl restart bramble-masquerade.service"),
        )),
    ]
}

/// BIRD 2 user's guide, chapter 6: protocols kernel, static and ospf.
fn bird_config(on: &On) -> String {
    let pods = on.cluster().kubernetes.pod_range;
    let own = match on.machine.pod_range {
        Some(range) => format!(
            "# This machine's own pods; the bridge's route is the one that the kernel uses.\n\
             protocol static pods {{\n\tipv4;\n\troute {range} unreachable;\n}}\n\n"
        ),
        None => String::new(),
    };
    let export = if own.is_empty() {
        "none"
    } else {
        "where proto = \"pods\""
    };
    let on_lan = match on.cluster().network.lan {
        Some(lan) => lan.to_string(),
        // Neighbors are on the machines' own interfaces, never on those of pods.
        None => r#"-"lo", -"cni0", -"veth*", "*""#.into(),
    };
    let id = match on.machine.address {
        IpAddr::V4(address) => format!("router id {address};\n"),
        IpAddr::V6(_) => String::new(),
    };
    format!(
        "# Made by Bramble.\n\
         log syslog all;\n\
         {id}\n\
         protocol device {{\n}}\n\n\
         {own}\
         # The other machines' pods.\n\
         protocol kernel {{\n\tipv4 {{\n\t\timport none;\n\t\texport where source ~ [ RTS_OSPF, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ];\n\t}};\n}}\n\n\
         protocol ospf v2 machines {{\n\
         \tipv4 {{\n\t\timport where net ~ [ {pods}+ ];\n\t\texport {export};\n\t}};\n\
         \tarea 0 {{\n\t\tinterface {on_lan} {{ type broadcast; hello 2; dead 8; wait 4; }};\n\t}};\n}}\n"
    )
}

fn masquerade_rules(on: &On) -> String {
    let pods = on.cluster().kubernetes.pod_range;
    let mut near = vec![pods.to_string()];
    if let Some(ipnet::IpNet::V4(lan)) = on.cluster().network.lan {
        near.push(lan.to_string());
    }
    format!(
        "# Made by Bramble.\ntable ip bramble-masquerade\ndelete table ip bramble-masquerade\ntable ip bramble-masquerade {{\n\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\tip saddr {pods} ip daddr != {{ {} }} masquerade\n\t}}\n}}\n",
        near.join(", ")
    )
}

const MASQUERADE_UNIT: &str = "\
# Made by Bramble.
[Unit]
Description=Bramble: pods that leave the cluster wear the machine's address
After=network-pre.target nftables.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/bramble-masquerade.nft
ExecStop=-/usr/sbin/nft delete table ip bramble-masquerade

[Install]
WantedBy=multi-user.target
";
