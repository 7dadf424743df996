//! WireGuard: by the kernel, or by wireguard-go where the kernel knows none.

use super::{COMMON, HEAD, watched};
use crate::context::{On, r};
use crate::vpn::WIREGUARD_INTERFACE;
use bramble_machine::Resource;
use bramble_machine::kinds::{File, Service};
use bramble_spec::cluster::Tunnel;
use std::sync::Arc;

const PROGRAM: &str = "/usr/local/sbin/bramble-wireguard";
const SERVICE: &str = "bramble-wireguard.service";

pub(super) fn resources(on: &On, tunnel: &Tunnel) -> Vec<Arc<dyn Resource>> {
    let mut program = File::text(PROGRAM, program(tunnel)).checked("sh -n \"$new\"");
    program.mode = 0o755;
    let unit_path = format!("/etc/systemd/system/{SERVICE}");
    let mut watch = watched().to_vec();
    watch.extend([format!("file:{PROGRAM}"), format!("file:{unit_path}")]);
    vec![
        r(program),
        r(File::text(unit_path, unit(on.facts.wireguard))),
        r(Service::on(SERVICE).watching(watch).reloading()),
    ]
}

/// The program that puts WireGuard's settings together and gives them to the interface.
fn program(tunnel: &Tunnel) -> String {
    format!(
        "{HEAD}interface={WIREGUARD_INTERFACE}\nport={}\naddress={}/{}\nbase={}\n{COMMON}{}",
        tunnel.port,
        tunnel.router(),
        tunnel.range.prefix_len(),
        u32::from(tunnel.range.network()),
        include_str!("wireguard.sh"),
    )
}

fn unit(kernel: bool) -> String {
    let service = if kernel {
        format!(
            "Type=oneshot\nRemainAfterExit=yes\nExecStart={PROGRAM} up\nExecReload={PROGRAM} follow\nExecStop={PROGRAM} down\n"
        )
    } else {
        format!(
            "Environment=LOG_LEVEL=error WG_PROCESS_FOREGROUND=1\nExecStart=/usr/bin/wireguard-go --foreground {WIREGUARD_INTERFACE}\nExecStartPost={PROGRAM} follow\nExecReload={PROGRAM} follow\nRestart=on-failure\nRestartSec=2\n"
        )
    };
    format!(
        "# Made by Bramble.\n[Unit]\nDescription=Bramble: WireGuard for people who are elsewhere\nAfter=network-pre.target nftables.service\nWants=network-pre.target\n\n[Service]\n{service}PrivateTmp=yes\nProtectHome=yes\nProtectSystem=full\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}
