//! The mark in a cluster's description: how Bramble knows its own.

use ipnet::IpNet;

/// Every description of ours begins with this.
const MARK: &str = "Created by Bramble";

/// What a cluster's description says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Made from the same file.
    Same,
    /// Made by Bramble, but with another range or description.
    Other,
    /// Not made by Bramble.
    Foreign,
}

/// The description of a cluster.
pub(crate) fn description(range: IpNet, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("{MARK}, {range}: {text}"),
        None => format!("{MARK}, {range}"),
    }
}

/// Whose cluster that is, for someone who would have described it so.
pub(crate) fn owner(found: &str, wanted: &str) -> Owner {
    match (found == wanted, found.starts_with(MARK)) {
        (true, _) => Owner::Same,
        (_, true) => Owner::Other,
        _ => Owner::Foreign,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_mark_tells_whose_it_is() {
        let wanted = description("10.0.0.0/16".parse().unwrap(), Some("button dash01"));
        assert_eq!(wanted, "Created by Bramble, 10.0.0.0/16: button dash01");
        assert_eq!(owner(&wanted, &wanted), Owner::Same);
        let other = description("10.1.0.0/16".parse().unwrap(), None);
        assert_eq!(owner(&other, &wanted), Owner::Other);
        assert_eq!(
            owner("Created by RMLAB Dash Button", &wanted),
            Owner::Foreign
        );
        assert_eq!(owner("", &wanted), Owner::Foreign);
    }
}
