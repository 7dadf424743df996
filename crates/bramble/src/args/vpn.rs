//! Arguments about the VPN.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `vpn`.
#[derive(Debug, Args)]
pub struct VpnArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: VpnAction,
}

/// Actions on the VPN.
#[derive(Debug, Subcommand)]
pub enum VpnAction {
    /// Write a user's profile, a file for each protocol; on a terminal also as a QR code.
    #[command(
        after_help = "Examples:\n  bramble vpn profile anna                  anna.conf for WireGuard, anna.ovpn for OpenVPN\n  bramble vpn profile anna --wireguard --out /media/stick/office.conf\n  bramble vpn profile anna --qr             shown for a phone, no file is written\n  bramble vpn profile anna --openvpn --print | ssh anna@desk 'umask 077; cat > office.ovpn'\n\nWhoever has a profile can connect as its user. Each user is one client at a time: give every device a\nname of its own, such as anna-phone."
    )]
    Profile(VpnProfileArgs),
    /// Users, their addresses, since when they are connected, bytes.
    #[command(
        after_help = "Examples:\n  bramble vpn list\n  bramble vpn list --output json | jq '.clients[] | select(.connected)'"
    )]
    List,
}

/// Options of `vpn profile`.
#[derive(Debug, Args)]
pub struct VpnProfileArgs {
    /// Name of the user, as in router.vpn.users.
    pub user: String,
    /// Only that of WireGuard.
    #[arg(long, conflicts_with = "openvpn")]
    pub wireguard: bool,
    /// Only that of OpenVPN.
    #[arg(long)]
    pub openvpn: bool,
    /// File to write; by default USER.conf or USER.ovpn in this folder.
    #[arg(long, value_name = "FILE", conflicts_with = "print")]
    pub out: Option<PathBuf>,
    /// Print it instead of writing a file.
    #[arg(long)]
    pub print: bool,
    /// Show that of WireGuard as a QR code, and write no file unless --out names one.
    #[arg(long, conflicts_with_all = ["openvpn", "print"])]
    pub qr: bool,
    /// Replace a file that is there and differs.
    #[arg(long, conflicts_with = "print")]
    pub force: bool,
}
