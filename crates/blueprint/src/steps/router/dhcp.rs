//! Addresses and names for the machines behind the router: dnsmasq.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{Directory, File, Service};
use bramble_spec::cluster::{DnsRecord, Router};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Beside the package's own file, which holds nothing but comments.
const CONFIG: &str = "/etc/dnsmasq.d/bramble.conf";
const DROP_IN: &str = "/etc/systemd/system/dnsmasq.service.d";
/// Seconds that somebody unknown has an address for: not the half day of the others. Whoever comes into the
/// file asks again at half of it, and is told then that another address is reserved, while `up` still waits.
const STRANGERS_LEASE: u32 = 180;
/// Leases beyond the pool: machines, and devices whose reservation changed.
const SPARE_LEASES: usize = 1000;

pub(crate) fn step(on: &On) -> Option<Step> {
    let router = on.router()?;
    let view = View {
        on,
        router,
        lan: on.lan_interface().ok()?,
        uplink: on.uplink_interface().ok()?,
    };
    let config = File::text(CONFIG, view.config()).checked("dnsmasq --test -C \"$new\"");
    let drop_in = format!("{DROP_IN}/bramble.conf");
    let watch = [format!("file:{CONFIG}"), format!("file:{drop_in}")];
    Some(on.step(
        "router/dhcp",
        vec![
            r(config),
            r(Directory::new(DROP_IN)),
            r(File::text(drop_in, DROP_IN_TEXT)),
            r(Service::on("dnsmasq.service").watching(watch)),
        ],
    ))
}

/// Everything that dnsmasq's configuration is made from.
struct View<'a> {
    on: &'a On<'a>,
    router: &'a Router,
    lan: String,
    uplink: String,
}

impl View<'_> {
    fn config(&self) -> String {
        let parts = [
            ("", self.sides()),
            ("# Names.\n", self.names()),
            ("# Machines and devices of the file.\n", self.machines()),
            ("# Further names.\n", self.records()),
            ("# Addresses.\n", self.addresses()),
            ("# Reserved addresses.\n", self.reservations()),
            (
                "# IPv6: devices make their addresses themselves.\n",
                self.ipv6(),
            ),
        ];
        let mut out = String::from("# Made by Bramble.\n");
        for (title, lines) in parts {
            if !lines.is_empty() {
                let _ = write!(out, "{title}{lines}");
            }
        }
        out
    }

    /// Where it listens. Interfaces may come late: bind-dynamic waits for each.
    fn sides(&self) -> String {
        let mut out = format!("bind-dynamic\ninterface={}\n", self.lan);
        for name in super::tunnels(self.router) {
            let _ = writeln!(out, "interface={name}\nno-dhcp-interface={name}");
        }
        if !self.router.firewall.trusted.is_empty() {
            let _ = writeln!(out, "interface={}", self.uplink);
        }
        // Two DHCP servers in the network outside would be one too many.
        let _ = writeln!(out, "no-dhcp-interface={}", self.uplink);
        out
    }

    fn names(&self) -> String {
        let domain = &self.on.cluster().network.domain;
        // Names come from this file alone: the machine's own hosts file may say 127.0.1.1.
        let mut out = format!(
            "domain={domain}\nlocal=/{domain}/\nno-hosts\ndomain-needed\nbogus-priv\ndns-loop-detect\ncache-size=1000\n"
        );
        if !self.router.forwarders.is_empty() {
            out.push_str("no-resolv\n");
        }
        for server in &self.router.forwarders {
            let _ = writeln!(out, "server={server}");
        }
        out
    }

    /// Names with an address of their own. They belong to nobody else: no device gets one by asking for it.
    fn machines(&self) -> String {
        let mut out = String::new();
        for machine in &self.on.cluster().machines {
            let router = machine.name == self.router.machine;
            let six = self.router.address6.filter(|_| router).map(|a| a.addr());
            let addresses = [Some(machine.address), six.map(IpAddr::V6)];
            self.record(&mut out, &machine.name, addresses.into_iter().flatten());
        }
        if self.router.registry.is_some() {
            let own = IpAddr::V4(self.router.address.addr());
            self.record(&mut out, "registry", [own]);
        }
        for device in &self.router.dhcp.reservations {
            if let Some(name) = &device.name {
                self.record(&mut out, name, [IpAddr::V4(device.address)]);
            }
        }
        out
    }

    fn records(&self) -> String {
        let domain = &self.on.cluster().network.domain;
        let mut out = String::new();
        for DnsRecord {
            name,
            wildcard,
            address,
        } in &self.router.records
        {
            self.record(&mut out, name, [*address]);
            if *wildcard {
                // Without the second, what is asked for in the other family would not exist.
                let _ = writeln!(
                    out,
                    "address=/{name}.{domain}/{address}\nlocal=/{name}.{domain}/"
                );
            }
        }
        out
    }

    /// Both ways, in the domain and, where it is one label, without.
    fn record(&self, out: &mut String, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let _ = write!(
            out,
            "host-record={name}.{}",
            self.on.cluster().network.domain
        );
        if !name.contains('.') {
            let _ = write!(out, ",{name}");
        }
        for address in addresses {
            let _ = write!(out, ",{address}");
        }
        out.push('\n');
    }

    fn addresses(&self) -> String {
        let (dhcp, own) = (&self.router.dhcp, self.router.address.addr());
        let domain = &self.on.cluster().network.domain;
        let mask = self.router.address.netmask();
        let lease = dhcp.lease.min(STRANGERS_LEASE);
        let range = match dhcp.pool {
            Some((first, last)) => format!("{first},{last},{mask},{lease}"),
            None => format!("{},static,{mask},{lease}", self.router.lan().network()),
        };
        let pool = dhcp.pool.map_or(0, |(first, last)| {
            (u32::from(last) - u32::from(first)) as usize + 1
        });
        let mut out = format!(
            "dhcp-authoritative\n\
             dhcp-range={range}\n\
             dhcp-lease-max={}\n\
             dhcp-option=option:router,{own}\n\
             dhcp-option=option:dns-server,{own}\n\
             dhcp-option=option:ntp-server,{own}\n\
             dhcp-option=option:domain-search,{domain}\n\
             # A device of this name would have every browser's proxy settings.\n\
             dhcp-name-match=set:wpad,wpad\n\
             dhcp-ignore-names=tag:wpad\n",
            pool + self.reserved().count() + SPARE_LEASES
        );
        if let Some(mtu) = dhcp.mtu {
            let _ = writeln!(out, "dhcp-option=option:mtu,{mtu}");
        }
        out
    }

    /// Hardware address, address and name of everything that has a reservation.
    fn reserved(&self) -> impl Iterator<Item = (&str, Ipv4Addr, Option<&str>)> {
        let lan = self.router.lan();
        let own = &self.router.machine;
        let others = self
            .on
            .cluster()
            .machines
            .iter()
            .filter(move |m| m.name != *own);
        let machines = others.filter_map(move |m| match (&m.mac, m.address) {
            (Some(mac), IpAddr::V4(address)) if lan.contains(&address) => {
                Some((mac.as_str(), address, Some(m.name.as_str())))
            }
            _ => None,
        });
        let devices = self.router.dhcp.reservations.iter();
        machines.chain(devices.map(|d| (d.mac.as_str(), d.address, d.name.as_deref())))
    }

    fn reservations(&self) -> String {
        let mut out = String::new();
        for (mac, address, name) in self.reserved() {
            let name = name.map_or(String::new(), |name| format!(",{name}"));
            let lease = self.router.dhcp.lease;
            let _ = writeln!(out, "dhcp-host={mac},{address}{name},{lease}");
        }
        out
    }

    fn ipv6(&self) -> String {
        let Some(own) = self.router.address6 else {
            return String::new();
        };
        let (net, own): (Ipv6Addr, Ipv6Addr) = (own.network(), own.addr());
        let domain = &self.on.cluster().network.domain;
        format!(
            "enable-ra\n\
             dhcp-range={net},ra-stateless,ra-names,64,{}\n\
             dhcp-option=option6:dns-server,[{own}]\n\
             dhcp-option=option6:domain-search,{domain}\n",
            self.router.dhcp.lease
        )
    }
}

/// Whatever ends it, the LAN needs it back. Names outside come from the router's own resolver, which must
/// not become dnsmasq itself: Debian's unit makes it so where a program `resolvconf` is, be it that of
/// systemd-resolved, unless it is told to leave the loopback alone.
const DROP_IN_TEXT: &str = "\
# Made by Bramble.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=on-failure
RestartSec=2
Environment=IGNORE_RESOLVCONF=yes DNSMASQ_EXCEPT=lo
";
