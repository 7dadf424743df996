//! What only the router itself knows of its way outside.

use crate::args::Global;
use crate::context::Context;
use crate::error::CliError;
use bramble_machine::shell::word;
use bramble_spec::cluster::{Machine, Router};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long the question may take once there is a connection.
const LIMIT: Duration = Duration::from_secs(10);

/// The router's uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Name of the interface.
    pub interface: String,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Its first address.
    pub address: Option<Ipv4Addr>,
    /// The next router.
    pub gateway: Option<Ipv4Addr>,
}

/// Asks the router.
pub async fn look(
    global: &Global,
    context: &Context,
    router: &Router,
    machine: &Machine,
) -> Result<Observed, CliError> {
    let session = context
        .fleet(global)
        .connect(&context.target(machine))
        .await?;
    let what = "asking for the uplink";
    let program = program(router.uplink.interface.as_deref());
    let done = session.run(program.as_bytes(), LIMIT, what, |_| {}).await?;
    let text = String::from_utf8_lossy(&done.stdout);
    read(&text).ok_or_else(|| {
        CliError::failed(format!(
            "it has no default route and no interface is named in the file: {}",
            done.stderr_tail(2)
        ))
    })
}

fn program(interface: Option<&str>) -> String {
    format!(
        "d={}\n\
         [ -n \"$d\" ] || d=$(ip -4 route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)\n\
         echo \"interface=$d\"\n\
         [ -z \"$d\" ] || echo \"mac=$(cat \"/sys/class/net/$d/address\")\"\n\
         echo \"address=$(ip -4 -o addr show dev \"$d\" scope global | sed -n 's/.* inet \\([0-9.]*\\).*/\\1/p' | head -n 1)\"\n\
         echo \"gateway=$(ip -4 route show default | sed -n 's/.* via \\([0-9.]*\\).*/\\1/p' | head -n 1)\"\n",
        word(interface.unwrap_or_default())
    )
}

fn read(text: &str) -> Option<Observed> {
    let get = |key: &str| {
        let mut lines = text.lines().filter_map(|l| l.split_once('='));
        lines
            .find(|(k, v)| *k == key && !v.is_empty())
            .map(|(_, v)| v)
    };
    Some(Observed {
        interface: get("interface")?.to_owned(),
        // Interfaces such as ppp0 have none.
        mac: get("mac")
            .filter(|m| m.len() == 17 && *m != "00:00:00:00:00:00")
            .map(str::to_owned),
        address: get("address").and_then(|a| a.parse().ok()),
        gateway: get("gateway").and_then(|a| a.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn answers_are_read() {
        let text = "motd\ninterface=wlan0\nmac=b8:27:eb:00:00:01\naddress=192.168.1.100\ngateway=192.168.1.1\n";
        let found = read(text).expect("an answer");
        assert_eq!(found.mac.as_deref(), Some("b8:27:eb:00:00:01"));
        assert_eq!(found.gateway, "192.168.1.1".parse().ok());
        let found = read("interface=ppp0\nmac=\naddress=\ngateway=\n").expect("an answer");
        assert_eq!((found.mac, found.address), (None, None));
        assert_eq!(read("interface=\nmac=x\n"), None);
    }

    #[test]
    fn the_loopback_interface_tells_its_address() {
        let run = |program: &str| {
            let out = Command::new("sh")
                .args(["-c", program])
                .output()
                .expect("sh");
            read(&String::from_utf8_lossy(&out.stdout))
        };
        let found = run(&program(Some("lo"))).expect("an answer");
        assert_eq!((found.interface.as_str(), found.mac), ("lo", None));
    }
}
