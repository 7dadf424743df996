//! What the router does for the other machines, a file for each step.

pub(super) mod backup;
pub(super) mod ddns;
pub(super) mod dhcp;
pub(super) mod firewall;
pub(super) mod ingress;
pub(super) mod network;
pub(super) mod packages;
pub(super) mod registry;
mod registry_config;
pub(super) mod vpn;
