//! The address plan: golden tables, and laws.

use bramble_spec::plan::{self, PlanError};
use bramble_spec::{Cluster, load};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use std::fmt::Write as _;

fn file(kubernetes: &str, lan: &str, machines: &str) -> String {
    let lan = match lan {
        "" => String::new(),
        lan => format!("  network: {{lan: \"{lan}\"}}\n"),
    };
    format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: lab}}\nspec:\n  kubernetes: {{{kubernetes}}}\n{lan}  machines:\n{machines}"
    )
}

fn table(cluster: &Cluster) -> String {
    let mut out = String::new();
    for m in &cluster.machines {
        let range = m.pod_range.map_or("-".to_owned(), |r| r.to_string());
        writeln!(out, "{} {} {range}", m.name, m.address).unwrap();
    }
    write!(out, "max {}", cluster.kubernetes.max_pods).unwrap();
    out
}

fn plan_of(text: &str) -> String {
    match load("f", text) {
        Ok(cluster) => table(&cluster),
        Err(problems) => problems
            .list()
            .iter()
            .map(|p| {
                format!(
                    "{}: {} ({})",
                    p.code,
                    p.message,
                    p.hint.clone().unwrap_or_default()
                )
            })
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

const MIXED: &str = "  - {name: one, roles: [control-plane], address: 10.77.0.11}
  - {name: a, mac: \"b8:27:eb:00:00:0a\"}
  - {name: two, address: 10.77.0.102}
  - {name: b, mac: \"b8:27:eb:00:00:0b\"}
";

#[test]
fn golden_24() {
    assert_eq!(
        plan_of(&file("", "10.77.0.0/24", MIXED)),
        "one 10.77.0.11 10.244.11.0/24
a 10.77.0.101 10.244.101.0/24
two 10.77.0.102 10.244.102.0/24
b 10.77.0.103 10.244.103.0/24
max 110"
    );
}

#[test]
fn golden_22() {
    assert_eq!(
        plan_of(&file(
            "",
            "10.77.0.0/22",
            &MIXED.replace("10.77.0.102", "10.77.3.254")
        )),
        "one 10.77.0.11 10.244.2.192/26
a 10.77.0.101 10.244.25.64/26
two 10.77.3.254 10.244.255.128/26
b 10.77.0.102 10.244.25.128/26
max 61"
    );
    assert_eq!(
        plan_of(&file("podRange: 10.128.0.0/14", "10.77.0.0/22", MIXED))
            .lines()
            .next(),
        Some("one 10.77.0.11 10.128.11.0/24")
    );
}

#[test]
fn golden_20() {
    assert_eq!(
        plan_of(&file("", "10.77.0.0/20", MIXED)),
        "pod-range-too-small: the pod range 10.244.0.0/16 is too small for a LAN of /20: each address needs a /26 at least \
(use a pod range of /14 or larger, a smaller `network.lan`, or give every machine a `podRange`)"
    );
    assert_eq!(
        plan_of(&file(
            "podRange: 10.128.0.0/12",
            "10.77.0.0/20",
            &MIXED.replace("10.77.0.102", "10.77.15.254")
        )),
        "one 10.77.0.11 10.128.11.0/24
a 10.77.0.101 10.128.101.0/24
two 10.77.15.254 10.143.254.0/24
b 10.77.0.102 10.128.102.0/24
max 110"
    );
    assert_eq!(
        plan_of(&file("podRange: 10.128.0.0/14", "10.77.0.0/20", MIXED))
            .lines()
            .next(),
        Some("one 10.77.0.11 10.128.2.192/26")
    );
}

#[test]
fn golden_small_lans() {
    let machines = "  - {name: one, roles: [control-plane], address: 10.77.0.17}\n  - {name: a, mac: \"b8:27:eb:00:00:0a\"}\n";
    assert_eq!(
        plan_of(&file("", "10.77.0.16/28", machines)),
        "one 10.77.0.17 10.244.1.0/24\na 10.77.0.24 10.244.8.0/24\nmax 110"
    );
}

#[test]
fn golden_v6() {
    let machines =
        "  - {name: one, roles: [control-plane], address: \"fd00:77::11\", podRange: 10.244.1.0/24}
  - {name: a, mac: \"b8:27:eb:00:00:0a\", podRange: 10.244.2.0/24}
";
    assert_eq!(
        plan_of(&file("", "fd00:77::/56", machines)),
        "one fd00:77::11 10.244.1.0/24\na fd00:77::101 10.244.2.0/24\nmax 110"
    );
    let without = machines.replace(", podRange: 10.244.2.0/24", "");
    assert!(
        plan_of(&file("", "fd00:77::/56", &without))
            .starts_with("pod-range-needed: `a` has an IPv6 address")
    );
}

#[test]
fn without_a_lan_the_shared_24_counts() {
    let machines = "  - {name: one, roles: [control-plane], address: 192.168.7.5}\n  - {name: two, address: 192.168.7.200}\n";
    assert_eq!(
        plan_of(&file("", "", machines)),
        "one 192.168.7.5 10.244.5.0/24\ntwo 192.168.7.200 10.244.200.0/24\nmax 110"
    );
    let apart = machines.replace("192.168.7.200", "192.168.8.200");
    assert!(
        plan_of(&file("", "", &apart)).starts_with("pod-range-needed: `one` needs a `podRange`")
    );
    let given = apart
        .replace("192.168.7.5}", "192.168.7.5, podRange: 10.244.1.0/24}")
        .replace("192.168.8.200}", "192.168.8.200, podRange: 10.244.2.0/25}");
    assert_eq!(
        plan_of(&file("", "", &given)),
        "one 192.168.7.5 10.244.1.0/24\ntwo 192.168.8.200 10.244.2.0/25\nmax 110"
    );
}

#[test]
fn routers_have_no_pods_and_the_first_address_of_the_lan() {
    let machines = "  - {name: gate, roles: [router], address: 192.168.1.100}\n  - {name: one, roles: [control-plane], address: 10.77.0.11}\n";
    assert_eq!(
        plan_of(&file("", "10.77.0.0/24", machines)),
        "gate 10.77.0.1 -\none 10.77.0.11 10.244.11.0/24\nmax 110"
    );
}

#[test]
fn with_a_plug_in_of_the_operator_no_plan_is_no_error() {
    let text = file("", "10.77.0.0/16", MIXED) + "  podNetwork: {plugin: none}\n";
    assert_eq!(
        plan_of(&text),
        "one 10.77.0.11 -\na 10.77.0.101 -\ntwo 10.77.0.102 -\nb 10.77.0.103 -\nmax 110"
    );
}

#[test]
fn a_machine_at_the_end_or_in_the_middle_moves_no_given_address_and_no_pod_range() {
    let before = load("f", &file("", "10.77.0.0/24", MIXED)).unwrap();
    let end = load(
        "f",
        &file(
            "",
            "10.77.0.0/24",
            &format!("{MIXED}  - {{name: c, mac: \"b8:27:eb:00:00:0c\"}}\n"),
        ),
    )
    .unwrap();
    assert_eq!(before.machines, end.machines[..4], "appended: nobody moves");
    assert_eq!(end.machines[4].address.to_string(), "10.77.0.104");
    let middle = MIXED.replacen(
        "  - {name: a",
        "  - {name: new, address: 10.77.0.50}\n  - {name: a",
        1,
    );
    let middle = load("f", &file("", "10.77.0.0/24", &middle)).unwrap();
    for machine in &before.machines {
        assert_eq!(middle.machine(&machine.name), Some(machine));
    }
}

#[test]
fn the_virtual_address_is_given_to_nobody() {
    let text = file("endpoint: {vip: 10.77.0.101}", "10.77.0.0/24", MIXED);
    assert_eq!(
        load("f", &text)
            .unwrap()
            .machine("a")
            .unwrap()
            .address
            .to_string(),
        "10.77.0.103"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Ranges of different machines are inside the whole, apart from each other, large enough.
    #[test]
    fn planned_ranges_are_disjoint(pod in 8u8..=30, lan in 8u8..=30, a in any::<u32>(), b in any::<u32>(), seed in any::<u32>()) {
        let whole = Ipv4Net::new(seed.into(), pod).unwrap().trunc();
        let lan = Ipv4Net::new(seed.rotate_left(7).into(), lan).unwrap().trunc();
        let host = |n: u32| (u32::from(lan.network()) | (n & u32::from(lan.hostmask()))).into();
        let (a, b): (std::net::Ipv4Addr, std::net::Ipv4Addr) = (host(a), host(b));
        match (plan::pod_range(whole, lan, a), plan::pod_range(whole, lan, b)) {
            (Ok(x), Ok(y)) => {
                prop_assert!(whole.contains(&x) && whole.contains(&y));
                prop_assert!((24..=26).contains(&x.prefix_len()));
                prop_assert_eq!(x == y, a == b);
                prop_assert!(x == y || !x.contains(&y));
            }
            (x, y) => {
                prop_assert_eq!(&x, &y);
                let Err(PlanError::TooSmall { needed }) = x else { return Err(TestCaseError::fail("outside")) };
                if let Some(needed) = needed {
                    let larger = Ipv4Net::new(whole.network(), needed).unwrap().trunc();
                    prop_assert!(plan::pod_range(larger, lan, a).is_ok(), "the hint must help");
                }
            }
        }
    }

    #[test]
    fn planned_addresses_are_free_and_in_order(prefix in 8u8..=32, v6 in any::<bool>(), count in 0usize..300, holes in proptest::collection::btree_set(0u32..400, 0..50)) {
        let lan: ipnet::IpNet = if v6 {
            format!("fd00:1::/{}", u32::from(prefix) + 96).parse::<ipnet::IpNet>().unwrap().trunc()
        } else {
            format!("10.0.0.0/{prefix}").parse::<ipnet::IpNet>().unwrap().trunc()
        };
        let taken = holes.iter().map(|h| std::net::IpAddr::V4((0x0a00_0000 + h).into())).collect();
        let given = plan::addresses(lan, &taken, count);
        prop_assert!(given.len() <= count);
        prop_assert!(given.windows(2).all(|w| w[0] < w[1]));
        for address in &given {
            prop_assert!(lan.contains(address) && !taken.contains(address));
            prop_assert!(*address != lan.network());
            prop_assert!(v6 || prefix >= 31 || *address != lan.broadcast());
        }
        let shorter = plan::addresses(lan, &taken, count / 2);
        prop_assert_eq!(&given[..shorter.len()], &shorter[..], "more machines move nobody");
    }
}
