//! Host name, zone, swap, kernel modules, kernel parameters, kernel command line.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{Block, CmdlineWords, HostName, Modules, SwapOff, Sysctl, TimeZone};
use bramble_spec::cluster::Swap;

pub(super) fn step(on: &On) -> Option<Step> {
    let cluster = on.cluster();
    let mut out = vec![r(HostName::new(&on.machine.name))];
    if let Some(zone) = &cluster.time.zone {
        out.push(r(TimeZone::new(zone)));
    }
    if cluster.network.prefer_ipv4 {
        // A block: Debian's file is a table of comments that operators fill in.
        let text = "precedence ::ffff:0:0/96  100\n";
        out.push(r(Block::new("/etc/gai.conf", "ipv4-first", text).creating()));
    }
    if on.machine.swap == Swap::Off {
        out.push(r(SwapOff));
    }
    if on.machine.is_node() {
        out.push(r(Modules::new(["overlay", "br_netfilter"])));
        let mut values = vec![("net.ipv4.ip_forward", "1")];
        if on.facts.bridge_filter {
            values.push(("net.bridge.bridge-nf-call-iptables", "1"));
            values.push(("net.bridge.bridge-nf-call-ip6tables", "1"));
        }
        out.push(r(Sysctl::new("kubernetes", values)));
        // Raspberry Pi kernels keep the memory controller off unless they are told.
        out.push(r(CmdlineWords::new([
            "cgroup_enable=memory",
            "cgroup_memory=1",
        ])));
    }
    Some(on.step("base/system", out))
}
