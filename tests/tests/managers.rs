//! The router's interfaces on machines whose interfaces systemd-networkd, NetworkManager, ifupdown and
//! dhcpcd configure, and link-layer neighbors. All real, each on a machine of its own, all at once.

use bramble_lab::{AddressMode, Boot, Lab, LabMachine, Link, MachineState, Net, Options, Topology};
use bramble_tests::wait::answer;
use bramble_tests::{Done, Site, until};
use std::collections::BTreeSet;
use std::time::Duration;

/// A machine that takes a change back needs a minute for it.
const LIMIT: Duration = Duration::from_secs(120);

/// The machines, by who configures their interfaces. Their addresses end with 11, 12, ... outside, and
/// with 1, 2, ... in the LAN.
const MACHINES: [&str; 4] = ["networkd", "manager", "ifupdown", "dhcpcd"];

/// A machine of the lab on which things are tried.
#[derive(Clone, Copy)]
struct Gate<'a> {
    site: &'a Site,
    name: &'static str,
    number: usize,
}

#[test]
fn interfaces_are_configured_in_the_way_of_each_machine() {
    let site = Site::new("t-kinds", 30, &MACHINES);
    let lab = Lab::up(&topology(&site), &Options::default(), |_| {}).expect("the lab comes up");
    std::fs::create_dir(site.folder().join(".ssh")).expect("a folder");
    std::fs::copy(lab.known_hosts(), site.folder().join(".ssh/known_hosts")).expect("known hosts");
    std::thread::scope(|scope| {
        for (at, name) in MACHINES.into_iter().enumerate() {
            let gate = Gate {
                site: &site,
                name,
                number: at + 1,
            };
            scope.spawn(move || gate.tried());
        }
    });
    neighbors_see_each_other(&site);
}

fn topology(site: &Site) -> Topology {
    let net = |name: &str, range: &str, gateway: Option<&str>| Net {
        name: name.into(),
        range: range.parse().expect("a range"),
        gateway: gateway.map(|g| g.parse().expect("an address")),
        nat: gateway.is_some(),
    };
    let machine = |(at, name): (usize, &&str)| LabMachine {
        name: (*name).into(),
        links: vec![
            Link {
                net: "out".into(),
                interface: Some("wan0".into()),
                mac: None,
                address: AddressMode::Static {
                    address: format!("10.78.30.{}/24", 11 + at)
                        .parse()
                        .expect("an address"),
                    gateway: Some("10.78.30.1".parse().expect("an address")),
                    dns: Vec::new(),
                },
            },
            Link {
                net: "lan".into(),
                interface: Some("lan0".into()),
                mac: None,
                address: AddressMode::None,
            },
        ],
        boot: Boot::On,
    };
    Topology {
        name: site.name().into(),
        networks: vec![
            net("out", "10.78.30.0/24", Some("10.78.30.1")),
            net("lan", "10.78.31.0/24", None),
        ],
        machines: MACHINES.iter().enumerate().map(machine).collect(),
    }
}

/// What the machine looks like: its settings, units and interfaces. Whoever waits for DHCP in vain may
/// give himself an address of the link meanwhile.
const STATE: &str = "export LC_ALL=C
find /etc -type f | grep -v 'ifupdown\\|/etc/.*-$' | sort | xargs sha256sum
systemctl list-unit-files --no-pager --no-legend --plain | awk '$2 != \"transient\" { print $1, $2 }'
ip -o address | sed 's/^[0-9]*: //; s/valid_lft.*//; s/ noprefixroute//; s/ dynamic//' | grep -v 'fe80\\|169.254'
ip route | sed 's/ onlink//; s/ metric [0-9]*//; s/ *$//' | grep -v 169.254
ip -o link | sed -n 's/^[0-9]*: \\([a-z0-9]*\\).*[<,]UP[,>].*/\\1 is up/p'
sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.wan0.accept_ra
";

/// The packages of the managers, without what they would start now.
const INSTALL: &str = "set -e; export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d
apt-get -qq -o APT::Get::Update=no install --no-install-recommends ";

impl Gate<'_> {
    fn outside(&self) -> String {
        format!("10.78.30.{}", 10 + self.number)
    }

    /// Writes a cluster file whose router is this machine.
    fn write(&self, router: &str) {
        let key = self.site.lab().key();
        let text = format!(
            "apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: {{ name: {name}-kinds }}
spec:
  kubernetes: {{ version: v1.20.2 }}
  network: {{ lan: 10.78.31.0/24, lan6: 'fd00:31:{number}::/64', lldp: true }}
  router: {{ lan: {{ address: 10.78.31.{number}, interface: lan0 }}, {router} }}
  defaults: {{ ssh: {{ keys: [{}] }} }}
  machines:
    - {{ name: {name}, roles: [router, control-plane], address: {} }}
",
            key.display(),
            self.outside(),
            name = self.name,
            number = self.number
        );
        self.site
            .write_beside(&format!("{}.yaml", self.name), &text);
    }

    fn bramble(&self, command: &str, step: &str, more: &[&str]) -> Done {
        let file = format!("{}.yaml", self.name);
        let scope = ["--file", &file, "--machine", self.name, "--step", step];
        self.site.bramble(&[&[command], &scope[..], more].concat())
    }

    fn up(&self) -> Done {
        self.bramble("up", "router/network", &[])
    }

    #[track_caller]
    fn nothing_to_do(&self, step: &str) {
        let done = self.bramble("plan", step, &["--exit-code"]).expect(0);
        assert_eq!(
            done.stdout.trim(),
            "nothing to do",
            "{}: {}",
            self.name,
            done.stderr
        );
    }

    fn on(&self, program: &str) -> String {
        self.site.on(self.name, program)
    }

    #[track_caller]
    fn lan_is_there(&self) {
        let wanted = [
            format!("10.78.31.{}/24", self.number),
            format!("fd00:31:{}::1/64", self.number),
        ];
        // After a restart dhcpcd first asks whether anybody else has the address.
        answer(&format!("{}'s side of the LAN", self.name), LIMIT, || {
            let text = self.on("ip -o address show dev lan0 | awk '{ print $4 }'");
            let there = |a: &String| text.lines().any(|l| l == a);
            wanted.iter().all(there).then_some(()).ok_or(text)
        });
        let routes = self.on("ip -4 route show default");
        let way = routes.lines().collect::<Vec<_>>();
        assert!(
            way.len() == 1 && way[0].starts_with("default via 10.78.30.1 dev wan0"),
            "{way:?}"
        );
    }

    fn restart(&self) {
        let lab = self.site.lab();
        let machines = lab.status().machines;
        let pid = machines
            .iter()
            .find(|m| m.name == self.name && m.state == MachineState::Running)
            .and_then(|m| m.pid)
            .expect("a running machine");
        // The connection ends with it.
        let _ = self.site.try_on(self.name, "systemctl reboot");
        lab.wait_restarted(self.name, pid, LIMIT)
            .expect("it comes up again");
    }

    /// Makes somebody else than networkd configure the machine's interfaces.
    fn converted(&self) {
        let address = self.outside();
        let program = match self.name {
            "networkd" => return,
            "manager" => format!(
                "{INSTALL} network-manager
umask 077; printf '[connection]\\nid=outside\\ntype=ethernet\\ninterface-name=wan0\\n[ipv4]\\nmethod=manual\\naddress1={address}/24,10.78.30.1\\n' > /etc/NetworkManager/system-connections/outside.nmconnection
printf '[main]\\ndns=none\\n' > /etc/NetworkManager/conf.d/dns.conf; systemctl -q enable NetworkManager"
            ),
            "ifupdown" => format!(
                "{INSTALL} ifupdown
printf 'source /etc/network/interfaces.d/*\\nauto lo\\niface lo inet loopback\\nauto wan0\\niface wan0 inet static\\n  address {address}/24\\n  gateway 10.78.30.1\\n' > /etc/network/interfaces"
            ),
            _ => format!(
                "{INSTALL} dhcpcd5; printf '\\nnodev\\nnohook resolv.conf\\ninterface wan0\\nstatic ip_address={address}/24\\nstatic routers=10.78.30.1\\n' >> /etc/dhcpcd.conf
systemctl -q enable dhcpcd"
            ),
        };
        self.site.script(
            self.name,
            &format!("{program}\nrm /usr/sbin/policy-rc.d /etc/systemd/network/*; systemctl -q disable systemd-networkd.service systemd-networkd.socket"),
        );
        self.restart();
    }

    fn tried(&self) {
        self.converted();
        let before = self.state();
        self.write("");
        self.up().expect(0);
        self.lan_is_there();
        self.nothing_to_do("router/network");
        self.repaired();
        self.restart();
        self.lan_is_there();
        self.nothing_to_do("router/network");
        self.site_outside();
        self.bramble("down", "router/network", &["--yes"]).expect(0);
        answer(&format!("{} is as it was", self.name), LIMIT, || {
            let now = self.state();
            let different: Vec<_> = before.symmetric_difference(&now).collect();
            let same = different.is_empty();
            same.then_some(()).ok_or_else(|| format!("{different:#?}"))
        });
    }

    fn state(&self) -> BTreeSet<String> {
        let text = self.site.script(self.name, STATE);
        text.lines().map(str::to_owned).collect()
    }

    /// What somebody takes away by hand is seen, and comes back without a word to the outside.
    fn repaired(&self) {
        if self.name == "manager" {
            // What is taken away behind its back comes back by itself.
            self.on("nmcli connection down bramble-lan");
        } else {
            self.on("ip address flush dev lan0");
        }
        let plan = self
            .bramble("plan", "router/network", &["--exit-code"])
            .expect(3);
        plan.says(&format!("lan0 gets 10.78.31.{}/24", self.number));
        self.up().expect(0);
        self.lan_is_there();
    }

    /// The way outside becomes Bramble's, and stays as it is; a wrong address takes itself back.
    fn site_outside(&self) {
        let fixed = |net: &str| {
            let last = 10 + self.number;
            format!("uplink: {{ address: {net}.{last}/24, gateway: {net}.1, dns: [10.78.30.1] }}")
        };
        self.write(&fixed("10.78.30"));
        let resolv = self.on("cat /etc/resolv.conf");
        self.up().expect(0);
        self.lan_is_there();
        self.nothing_to_do("router/network");
        // A slip of the pen in the network.
        self.write(&fixed("10.78.29"));
        let done = self.up().expect(1);
        if matches!(self.name, "ifupdown" | "dhcpcd") {
            // What stands in its file by hand is not overwritten; above it said the same.
            done.says("configures wan0 already");
        } else {
            done.says("the machine takes it back by itself");
        }
        until(&format!("{} answers again", self.name), LIMIT, || {
            self.site
                .try_on(
                    self.name,
                    "ip -o -4 address show dev wan0 | grep -qF ' 10.78.29.'",
                )
                .code
                == Some(1)
        });
        self.lan_is_there();
        self.write(&fixed("10.78.30"));
        self.nothing_to_do("router/network");
        self.write("");
        self.up().expect(0);
        assert_eq!(self.on("cat /etc/resolv.conf"), resolv, "{}", self.name);
        self.lan_is_there();
    }
}

/// Containers get no lldpd; these here look like hardware for a while.
fn neighbors_see_each_other(site: &Site) {
    let gates =
        [("networkd", 1), ("ifupdown", 3)].map(|(name, number)| Gate { site, name, number });
    pass_neighbors_words();
    for gate in gates {
        gate.write("uplink: wan0");
        // A container has its host's wires.
        gate.nothing_to_do("base/neighbors");
        gate.on("mv /run/systemd/container /run/systemd/no-container");
        gate.bramble("up", "base/neighbors", &[]).expect(0);
    }
    for (gate, other) in [(gates[0], "ifupdown"), (gates[1], "networkd")] {
        until(&format!("{} sees {other}", gate.name), LIMIT, || {
            let seen = gate.on("lldpcli show neighbors; lldpcli update");
            seen.lines()
                .any(|l| l.trim().starts_with("SysName:") && l.ends_with(&format!(" {other}")))
                && seen.contains(&format!(
                    "router, control-plane of the cluster {other}-kinds"
                ))
                && seen.contains("ifname wan0")
        });
        gate.nothing_to_do("base/neighbors");
    }
    for gate in gates {
        gate.bramble("down", "base/neighbors", &["--yes"]).expect(0);
        let left = gate.on("ls -d /etc/lldpd* /var/lib/lldpd /run/lldpd* 2>/dev/null; getent passwd _lldpd; systemctl list-units --all --no-legend 'lldpd*'; true");
        assert_eq!(left, "", "of {}", gate.name);
    }
}

/// A bridge keeps such frames to itself, unless it is told otherwise.
fn pass_neighbors_words() {
    let program = "b=$(ip -o -4 address show | awk '$4 == \"10.78.30.1/24\" { print $2 }')
        echo 16384 > /sys/class/net/$b/bridge/group_fwd_mask";
    let done = std::process::Command::new("sh")
        .args(["-ec", program])
        .status();
    assert!(done.is_ok_and(|s| s.success()), "the lab's bridge is there");
}
