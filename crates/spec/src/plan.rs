//! The address plan: which address a machine without one gets, and which pods live where.
//!
//! The laws, all pure:
//!
//! - **Addresses.** What the file gives stays. A machine with a hardware address and none of its own
//!   gets the lowest free address of the LAN from offset 101 up (IPv6: `::101`; a LAN with fewer
//!   than 202 addresses: from its middle), in the order of the file. So machines appended at the end
//!   change nobody's address; one put in between moves those after it that have none written down.
//!   Where there is a router, addresses for unknown devices are left out.
//! - **Unknown devices.** A router lends them the longest run of addresses that the file names nowhere in
//!   the last quarter of the LAN, without its last five. Machines are given none of that quarter, used or
//!   not, so that a device with an address of its own there moves no machine.
//! - **Pod ranges.** The machine's offset in the LAN is its index in `kubernetes.podRange`: the
//!   machine `.11` of a /24 has the range number 11. That depends on the machine's own address and on
//!   nothing else, so adding, removing or reordering machines never moves a range. The size of each
//!   range follows from the sizes of both networks, from /24 down to /26.

use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The largest range that one machine gets: 254 pods are more than a kubelet runs by default.
pub const LARGEST_NODE_PREFIX: u8 = 24;
/// The smallest range that one machine gets by plan: 61 pods.
pub const SMALLEST_NODE_PREFIX: u8 = 26;

/// Most addresses that unknown devices get by plan.
const LARGEST_GUEST_POOL: u64 = 1000;

/// Why the plan has no range for a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// The pod range holds less than a /26 for each address of the LAN.
    TooSmall {
        /// A pod range with this prefix, or a shorter one, would do; `None` if no IPv4 range would.
        needed: Option<u8>,
    },
    /// The address isn't one of the LAN.
    Outside,
}

/// Addresses for `count` machines without one: free, in order. Fewer than `count` when the LAN is full.
///
/// ```
/// use std::collections::BTreeSet;
/// let lan = "10.77.0.0/24".parse().unwrap();
/// let taken = BTreeSet::from(["10.77.0.102".parse().unwrap()]);
/// let given = bramble_spec::plan::addresses(lan, &taken, 2);
/// assert_eq!(given, ["10.77.0.101".parse::<std::net::IpAddr>().unwrap(), "10.77.0.103".parse().unwrap()]);
/// ```
pub fn addresses(lan: IpNet, taken: &BTreeSet<IpAddr>, count: usize) -> Vec<IpAddr> {
    let bits = lan.max_prefix_len() - lan.prefix_len();
    let size: u128 = 1u128.checked_shl(bits.into()).unwrap_or(u128::MAX);
    let first: u128 = match lan {
        IpNet::V4(_) => 101,
        IpNet::V6(_) => 0x101,
    };
    let first = if size < 2 * first { size / 2 } else { first };
    // The last address of an IPv4 network is its broadcast address.
    let end = if lan.addr().is_ipv4() && bits >= 2 {
        size - 1
    } else {
        size
    };
    (first.max(1)..end)
        .map(|offset| nth(lan, offset))
        .filter(|address| !taken.contains(address))
        .take(count)
        .collect()
}

/// First and last address of the part of a LAN that is for unknown devices: its last quarter without the
/// last five, and a thousand at most. For a LAN of eight addresses or more.
pub fn guest_range(lan: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    let size = 1u64 << (32 - lan.prefix_len());
    let margin = if size >= 64 { 6 } else { 2 };
    let last = size.saturating_sub(margin);
    let first = (size - size / 4).max((last + 1).saturating_sub(LARGEST_GUEST_POOL));
    let base = u64::from(u32::from(lan.network()));
    let address = |n: u64| Ipv4Addr::from(u32::try_from(base + n).unwrap_or(u32::MAX));
    (address(first), address(last))
}

/// The longest run of [`guest_range`] without the addresses that are named; of equal ones, the last.
///
/// ```
/// let lan = "10.77.0.0/24".parse().unwrap();
/// let named = ["10.77.0.200".parse().unwrap()].into();
/// let (first, last) = bramble_spec::plan::guest_pool(lan, &named).unwrap();
/// assert_eq!(format!("{first}-{last}"), "10.77.0.201-10.77.0.250");
/// ```
pub fn guest_pool(lan: Ipv4Net, named: &BTreeSet<Ipv4Addr>) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (first, last) = guest_range(lan);
    let number = |a: Ipv4Addr| u64::from(u32::from(a));
    let (first, last) = (number(first), number(last));
    let inside = named.iter().map(|a| number(*a));
    let inside = inside.filter(|a| (first..=last).contains(a));
    // Each run ends before a named address, or at the end.
    let mut start = first;
    let runs: Vec<(u64, u64)> = inside
        .chain([last + 1])
        .map(|stop| (std::mem::replace(&mut start, stop + 1), stop))
        .collect();
    let (start, stop) = runs
        .into_iter()
        .filter(|(start, stop)| start < stop)
        .max_by_key(|(start, stop)| stop - start)?;
    let address = |n: u64| u32::try_from(n).ok().map(Ipv4Addr::from);
    Some((address(start)?, address(stop - 1)?))
}

fn nth(lan: IpNet, offset: u128) -> IpAddr {
    match lan {
        IpNet::V4(net) => {
            let base = u32::from(net.network());
            Ipv4Addr::from(base | u32::try_from(offset).unwrap_or(u32::MAX)).into()
        }
        IpNet::V6(net) => Ipv6Addr::from(u128::from(net.network()) | offset).into(),
    }
}

/// Prefix length of each machine's pod range.
///
/// # Errors
/// [`PlanError::TooSmall`] when it would be longer than /26.
pub fn node_prefix(pod_range: Ipv4Net, lan: Ipv4Net) -> Result<u8, PlanError> {
    let lan_bits = 32 - lan.prefix_len();
    let prefix = (pod_range.prefix_len() + lan_bits).max(LARGEST_NODE_PREFIX);
    if prefix > SMALLEST_NODE_PREFIX {
        let needed = SMALLEST_NODE_PREFIX
            .checked_sub(lan_bits)
            .filter(|needed| *needed >= 8);
        return Err(PlanError::TooSmall { needed });
    }
    Ok(prefix)
}

/// The pod range of the machine with an address.
///
/// # Errors
/// See [`PlanError`].
///
/// ```
/// let range = bramble_spec::plan::pod_range(
///     "10.244.0.0/16".parse().unwrap(), "10.77.0.0/24".parse().unwrap(), "10.77.0.11".parse().unwrap());
/// assert_eq!(range.unwrap().to_string(), "10.244.11.0/24");
/// ```
pub fn pod_range(
    pod_range: Ipv4Net,
    lan: Ipv4Net,
    address: Ipv4Addr,
) -> Result<Ipv4Net, PlanError> {
    if !lan.contains(&address) {
        return Err(PlanError::Outside);
    }
    let prefix = node_prefix(pod_range, lan)?;
    let index = u32::from(address) - u32::from(lan.network());
    let base = u32::from(pod_range.network()) | (index << (32 - u32::from(prefix)));
    Ok(Ipv4Net::new_assert(Ipv4Addr::from(base), prefix))
}

/// The /24 (IPv6: /64) that all addresses share.
pub fn common_lan<'a>(mut addresses: impl Iterator<Item = &'a IpAddr>) -> Option<IpNet> {
    let first = addresses.next()?;
    let prefix = if first.is_ipv4() { 24 } else { 64 };
    let net = IpNet::new(*first, prefix).ok()?.trunc();
    addresses.all(|a| net.contains(a)).then_some(net)
}

/// Pods that a range holds: without network, broadcast and the bridge's own address.
pub fn capacity(range: Ipv4Net) -> u32 {
    (1u64 << (32 - range.prefix_len()))
        .saturating_sub(3)
        .try_into()
        .unwrap_or(u32::MAX)
}
