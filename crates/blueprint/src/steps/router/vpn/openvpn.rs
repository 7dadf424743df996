//! OpenVPN (Debian's 2.6; its manual is openvpn(8)).

use super::{COMMON, HEAD, watched};
use crate::context::{On, r};
use crate::vpn::{
    CERTIFICATE, KEY, OPENVPN, OPENVPN_INTERFACE, OPENVPN_STATUS, TLS_CRYPT, path, ranges,
};
use bramble_machine::Resource;
use bramble_machine::kinds::{File, Service};
use bramble_spec::cluster::{Transport, Tunnel};
use std::fmt::Write as _;
use std::sync::Arc;

const PROGRAM: &str = "/usr/local/sbin/bramble-openvpn";
const CONFIG: &str = "/etc/bramble/openvpn.conf";
const SERVICE: &str = "bramble-openvpn.service";

pub(super) fn resources(on: &On, tunnel: &Tunnel) -> Vec<Arc<dyn Resource>> {
    let mut program = File::text(PROGRAM, program(tunnel)).checked("sh -n \"$new\"");
    program.mode = 0o755;
    let unit_path = format!("/etc/systemd/system/{SERVICE}");
    let mut watch = watched().to_vec();
    watch.extend([PROGRAM, CONFIG, &unit_path].map(|path| format!("file:{path}")));
    vec![
        r(program),
        r(File::text(CONFIG, config(on, tunnel))),
        r(File::text(unit_path, UNIT)),
        // It reads the list of the trusted at its start alone. Clients are told and come back at once.
        r(Service::on(SERVICE).watching(watch)),
    ]
}

/// The program that puts together whom OpenVPN trusts, before each start.
fn program(tunnel: &Tunnel) -> String {
    let [protocol, protocol6] = match tunnel.transport {
        Transport::Udp => ["udp", "udp6"],
        Transport::Tcp => ["tcp-server", "tcp6-server"],
    };
    format!(
        "{HEAD}base={}\nmask={}\nprotocol={protocol}\nprotocol6={protocol6}\n{COMMON}{}",
        u32::from(tunnel.range.network()),
        tunnel.range.netmask(),
        include_str!("openvpn.sh"),
    )
}

fn config(on: &On, tunnel: &Tunnel) -> String {
    let mut out = format!(
        "# Made by Bramble.\n\
         dev {OPENVPN_INTERFACE}\n\
         dev-type tun\n\
         topology subnet\n\
         port {}\n\
         server {} {} nopool\n\
         keepalive 10 60\n",
        tunnel.port,
        tunnel.range.network(),
        tunnel.range.netmask(),
    );
    if tunnel.transport == Transport::Udp {
        // Answers leave by the address that was asked; clients learn of a restart.
        out.push_str("multihome\nexplicit-exit-notify 1\n");
    }
    let _ = write!(
        out,
        "\n# Who may come in.\n\
         ca /run/bramble-openvpn/trusted.pem\n\
         cert {}\n\
         key {}\n\
         tls-crypt {}\n\
         dh none\n\
         verify-client-cert require\n\
         remote-cert-tls client\n\
         client-config-dir /run/bramble-openvpn/clients\n\
         ccd-exclusive\n\
         tls-version-min 1.2\n\
         tls-cipher TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384:TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256:TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256\n\
         data-ciphers AES-256-GCM:CHACHA20-POLY1305:AES-128-GCM\n\
         allow-compression no\n\
         \n\
         # What clients are told.\n",
        path(OPENVPN, CERTIFICATE),
        path(OPENVPN, KEY),
        path(OPENVPN, TLS_CRYPT),
    );
    if let Some(router) = on.router() {
        let own = tunnel.range;
        for range in ranges(on.cluster(), router, tunnel) {
            if range != own {
                let _ = writeln!(
                    out,
                    "push \"route {} {}\"",
                    range.network(),
                    range.netmask()
                );
            }
        }
        let _ = write!(
            out,
            "push \"dhcp-option DNS {}\"\npush \"dhcp-option DOMAIN {}\"\n",
            router.address.addr(),
            on.cluster().network.domain
        );
    }
    let _ = write!(
        out,
        "\n# Once it listens, it is nobody.\n\
         user nobody\n\
         group nogroup\n\
         persist-key\n\
         persist-tun\n\
         status {OPENVPN_STATUS} 5\n\
         status-version 3\n\
         verb 3\n"
    );
    out
}

const UNIT: &str = "\
# Made by Bramble.
[Unit]
Description=Bramble: OpenVPN for people who are elsewhere
After=network-pre.target nftables.service
Wants=network-pre.target

[Service]
Type=notify
RuntimeDirectory=bramble-openvpn
ExecStartPre=/usr/local/sbin/bramble-openvpn
ExecStart=/usr/sbin/openvpn --suppress-timestamps --config /etc/bramble/openvpn.conf --config /run/bramble-openvpn/listen.conf
Restart=on-failure
RestartSec=2
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_DAC_OVERRIDE
DeviceAllow=/dev/null rw
DeviceAllow=/dev/net/tun rw
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
";
