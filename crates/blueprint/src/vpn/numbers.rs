//! Which address each user has.

use bramble_spec::cluster::Vpn;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The first number of a user; the router has the one before it.
const FIRST: u32 = 2;

/// The number of each user: that many addresses after the first one of a tunnel's range is the user's.
///
/// A number is chosen once and written down on the router. So a user's address stays while others come
/// and go, and no two users have the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    /// Where they are written down on the router; read with every look at it.
    pub const PATH: &str = "/etc/bramble/public.vpn-addresses";
    /// Their name among the facts of the router.
    pub const FACT: &str = "vpn-addresses";

    /// Reads what was written down; lines that are none are left out.
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (user, number) = line.split_once(' ')?;
            Some((user.to_owned(), number.parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The numbers of the VPN's users: those that were written down and fit, and for everybody else the
    /// lowest free one.
    pub fn of(vpn: &Vpn, written: &Numbers) -> Self {
        let last = last(vpn);
        let mut out = Numbers::default();
        for user in &vpn.users {
            if let Some(number) = written.get(user)
                && (FIRST..=last).contains(&number)
                && !out.has(number)
            {
                out.0.insert(user.clone(), number);
            }
        }
        for user in &vpn.users {
            if out.get(user).is_none()
                && let Some(free) = (FIRST..=last).find(|n| !out.has(*n))
            {
                out.0.insert(user.clone(), free);
            }
        }
        out
    }

    /// A user's number.
    pub fn get(&self, user: &str) -> Option<u32> {
        self.0.get(user).copied()
    }

    /// Users with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(user, number)| (user.as_str(), *number))
    }

    /// As it is written down: a line `USER NUMBER` for each, in the order of the numbers, so that the
    /// order of the cluster file doesn't matter.
    pub fn text(&self) -> String {
        let mut all: Vec<(&str, u32)> = self.iter().collect();
        all.sort_by_key(|(_, number)| *number);
        all.iter().map(|(u, n)| format!("{u} {n}\n")).collect()
    }

    fn has(&self, number: u32) -> bool {
        self.0.values().any(|n| *n == number)
    }
}

/// The address of a number in a tunnel's range.
pub fn address(range: Ipv4Net, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(range.network()).saturating_add(number))
}

/// The last number that has an address in every tunnel's range.
fn last(vpn: &Vpn) -> u32 {
    let tunnels = [&vpn.wireguard, &vpn.openvpn].into_iter().flatten();
    let last = tunnels
        .map(|t| u32::from(t.range.broadcast()) - u32::from(t.range.network()))
        .min();
    last.map_or(FIRST, |n| n.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_spec::cluster::{Transport, Tunnel};
    use proptest::prelude::*;

    fn vpn(users: &[&str], range: &str) -> Vpn {
        Vpn {
            host: "h".into(),
            users: users.iter().map(|u| (*u).to_owned()).collect(),
            wireguard: Some(Tunnel {
                port: 1,
                transport: Transport::Udp,
                range: range.parse().unwrap(),
            }),
            openvpn: None,
        }
    }

    fn of(users: &[&str], range: &str, written: &str) -> String {
        Numbers::of(&vpn(users, range), &Numbers::parse(written)).text()
    }

    #[test]
    fn addresses_stay_while_others_come_and_go() {
        let three = of(&["anna", "ben", "carl"], "10.8.0.0/24", "");
        assert_eq!(three, "anna 2\nben 3\ncarl 4\n");
        let without = of(&["carl", "anna"], "10.8.0.0/24", &three);
        assert_eq!(without, "anna 2\ncarl 4\n");
        let again = of(&["dora", "carl", "anna", "ben"], "10.8.0.0/24", &without);
        assert_eq!(again, "anna 2\ndora 3\ncarl 4\nben 5\n");
        let number = Numbers::parse(&again).get("ben").unwrap();
        assert_eq!(
            address("10.8.3.0/24".parse().unwrap(), number).to_string(),
            "10.8.3.5"
        );
    }

    #[test]
    fn what_does_not_fit_is_chosen_anew() {
        // The range became smaller, and somebody wrote into the file.
        let written = "anna 200\nben 6\ncarl 6\ndora 1\nwhat is this\n";
        assert_eq!(
            of(&["anna", "ben", "carl", "dora"], "10.8.0.0/29", written),
            "anna 2\ncarl 3\ndora 4\nben 6\n"
        );
    }

    proptest! {
        /// Nobody shares an address, all are in the range, and what was chosen is chosen again.
        #[test]
        fn everybody_has_an_address_alone(
            users in proptest::collection::btree_set("[a-f]{1,2}", 1..13),
            written in proptest::collection::btree_map("[a-f]{1,2}", 0u32..30, 0..20),
        ) {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            let vpn = vpn(&users, "10.8.0.16/28");
            let numbers = Numbers::of(&vpn, &Numbers(written));
            let mut all: Vec<u32> = numbers.iter().map(|(_, n)| n).collect();
            prop_assert_eq!(all.len(), users.len());
            prop_assert!(all.iter().all(|n| (2..=14).contains(n)));
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), users.len());
            let read = Numbers::parse(&numbers.text());
            prop_assert_eq!(&Numbers::of(&vpn, &read), &numbers);
        }
    }
}
