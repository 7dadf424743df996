//! The address of the API that the control planes share: keepalived holds it on one of them, HAProxy on
//! each leads to every API server that is ready. (For kube-vip see [`super::kube_vip`].)

use super::control_plane;
use crate::context::{On, r};
use crate::masked::Masked;
use bramble_machine::kinds::{Action, Check, Directory, File, Packages, Service};
use bramble_machine::{Resource, Script, Step, StepRef};
use bramble_spec::cluster::{Endpoint, Role};
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) const NAME: &str = "control-plane/endpoint";
const GROUP: &str = "endpoint";
const BALANCER: &str = "/etc/haproxy/bramble-api.cfg";
const BALANCER_UNIT: &str = "/etc/systemd/system/bramble-api.service";
const HOLDER: &str = "/etc/keepalived/keepalived.conf";
const DROP_IN_FOLDER: &str = "/etc/systemd/system/keepalived.service.d";
const DROP_IN: &str = "/etc/systemd/system/keepalived.service.d/bramble.conf";
const FOLDER: &str = "/usr/local/lib/bramble";
const CHECK: &str = "/usr/local/lib/bramble/api-address";
const OWN: &str = "/usr/local/lib/bramble/api-own";
/// Where a control plane's HAProxy says whether it leads anywhere, on the loopback.
const HEALTH: u16 = 8449;

/// What the address is.
struct Shared {
    address: Ipv4Addr,
    port: u16,
    id: u8,
    interface: String,
}

fn shared(on: &On) -> Option<Shared> {
    let Endpoint::Vip {
        address: std::net::IpAddr::V4(address),
        port,
        vrrp_id,
    } = on.cluster().kubernetes.endpoint
    else {
        return None;
    };
    on.is(Role::ControlPlane).then(|| Shared {
        address,
        port,
        id: vrrp_id,
        interface: interface(on),
    })
}

/// The interface towards the other machines, on which a shared address lives.
pub(super) fn interface(on: &On) -> String {
    let interface = match on.router() {
        Some(_) => on.lan_interface().ok(),
        None => on.facts.default_interface.clone(),
    };
    interface.unwrap_or_else(|| "eth0".into())
}

/// Whether HAProxy is needed here for the API. On the router it comes with the router's packages.
pub(super) fn balances(on: &On) -> bool {
    shared(on).is_some()
}

pub(super) fn step(on: &On) -> Option<Step> {
    let Some(shared) = shared(on) else {
        return super::kube_vip::step(on);
    };
    let mut names = vec!["keepalived", "nftables"];
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    let ingress = on.router().is_some_and(|router| router.ingress.is_some());
    let group = match on.router() {
        Some(_) => super::router::packages::GROUP,
        None => {
            names.push("haproxy");
            GROUP
        }
    };
    if on.founds() {
        out.push(r(listens(&shared)));
    }
    let leftovers = ["/etc/keepalived", "/etc/haproxy", "/var/lib/haproxy"];
    out.push(r(Packages::new(GROUP, names).leaving(leftovers).quietly()));
    if !ingress {
        let brought = Packages::came_with(group, "haproxy");
        out.push(r(Masked::new("haproxy.service", brought)));
    }
    if on.founds() {
        out.push(r(free(&shared)));
    }
    out.push(r(
        File::text(BALANCER, balancer(on, &shared)).checked("haproxy -c -q -f \"$new\"")
    ));
    out.push(r(File::text(BALANCER_UNIT, UNIT)));
    let balancing = Service::on("bramble-api.service")
        .watching([format!("file:{BALANCER}"), format!("file:{BALANCER_UNIT}")])
        .reloading();
    out.push(r(balancing));
    out.push(r(Directory::new(FOLDER)));
    out.push(r(File {
        mode: 0o755,
        ..File::text(CHECK, check(&shared))
    }));
    out.push(r(File {
        mode: 0o755,
        ..File::text(OWN, own(on))
    }));
    out.push(r(
        File::text(HOLDER, holder(on, &shared)).checked("keepalived -t -f \"$new\"")
    ));
    out.push(r(Directory::new(DROP_IN_FOLDER)));
    out.push(r(File::text(DROP_IN, RESTART)));
    let holding = Service::on("keepalived.service")
        .watching([format!("file:{HOLDER}"), format!("file:{DROP_IN}")])
        .reloading();
    out.push(r(holding));
    Some(on.step_after(NAME, out, after(on)))
}

/// Who finds out whether the address is free must not find another control plane with it.
fn after(on: &On) -> Vec<StepRef> {
    let door = on.door().filter(|_| !on.founds());
    let door = door.filter(|m| !on.stands(&m.name));
    let needs = door.map(|m| (m.name.clone(), NAME.to_owned()));
    needs.into_iter().collect()
}

/// Whether the address was found to be free, or is in use by this cluster.
fn is_free() -> Check {
    Check::Succeeds(format!(
        "[ -e {}/endpoint.free ] || [ -e {} ]",
        bramble_machine::HOME,
        control_plane::ADMIN
    ))
}

/// Begins to listen for others with the VRRP id, before the packages are installed, which takes longer than three
/// adverts.
fn listens(shared: &Shared) -> Action {
    let mut run = Script::of(format!("id={} dev={}", shared.id, shared.interface));
    run.line(include_str!("endpoint_listen.sh"));
    Action::new(
        "endpoint-listens",
        format!("listen for the VRRP id {}", shared.id),
        is_free(),
        run,
    )
    .undone_by(
        "nft delete table inet bramble-listen 2>/dev/null || :\n\
         [ ! -e $B/endpoint.listens ] || read -r _ joined <$B/endpoint.listens || :\n\
         [ -z \"${joined:-}\" ] || ip maddress del 01:00:5e:00:00:12 dev \"$joined\" 2>/dev/null || :\n\
         rm -f $B/endpoint.listens",
    )
}

/// Looks for other owners of the address and of the VRRP id, before the first control plane takes them.
fn free(shared: &Shared) -> Action {
    let mut run = Script::of(format!(
        "address={} id={} dev={}",
        shared.address, shared.id, shared.interface
    ));
    run.line(include_str!("endpoint_free.sh"));
    run.line("date >$B/endpoint.free");
    Action::new(
        "endpoint-free",
        format!(
            "see that nobody has the address {} or the VRRP id {}",
            shared.address, shared.id
        ),
        is_free(),
        run,
    )
    .undone_by("rm -f $B/endpoint.free")
}

/// HAProxy's configuration manual, chapters 3 (global), 4 (proxies) and 5 (server options).
fn balancer(on: &On, shared: &Shared) -> String {
    let mut out = String::from(BALANCING);
    let _ = write!(
        out,
        "\nlisten health\n\tmode http\n\tbind 127.0.0.1:{HEALTH}\n\tacl nobody nbsrv(api) lt 1\n\tmonitor-uri /\n\tmonitor fail if nobody\n\
         \nlisten api\n\tbind :{}\n\toption httpchk GET /readyz\n\thttp-check expect status 200\n",
        shared.port
    );
    for machine in on.control_planes() {
        let address = bramble_spec::cluster::with_port(&machine.address.to_string(), 6443);
        let _ = writeln!(out, "\tserver {} {address}", machine.name);
    }
    out
}

/// keepalived.conf(5). All have one priority, so that the address moves only when its holder is in trouble;
/// who can't reach any API server stands back behind those that do. Whose own API server stays dead doesn't take
/// part at all: a machine that the cluster forgot while it was off is no peer of the others any more, so it
/// hears none of them and would take the address beside its owner.
fn holder(on: &On, shared: &Shared) -> String {
    let mut out = format!(
        "# Made by Bramble.\n\
         global_defs {{\n\trouter_id {name}\n\tscript_user root\n\tenable_script_security\n\tvrrp_garp_master_refresh 10\n}}\n\n\
         vrrp_script api {{\n\tscript {CHECK}\n\tinterval 1\n\ttimeout 2\n\tfall 2\n\trise 2\n\tweight -50\n}}\n\n\
         vrrp_script own {{\n\tscript {OWN}\n\tinterval 5\n\ttimeout 4\n\tfall {DEAD}\n\trise 1\n}}\n\n\
         vrrp_instance api {{\n\tstate BACKUP\n\tinterface {interface}\n\tvirtual_router_id {id}\n\tpriority 100\n\
         \tadvert_int 1\n\tdown_timer_adverts {ADVERTS}\n\tunicast_src_ip {own}\n",
        name = on.machine.name,
        interface = shared.interface,
        id = shared.id,
        own = on.machine.address,
    );
    let peers: Vec<String> = on
        .control_planes()
        .filter(|m| m.name != on.machine.name)
        .map(|m| format!("\t\t{}\n", m.address))
        .collect();
    if !peers.is_empty() {
        let _ = writeln!(out, "\tunicast_peer {{\n{}\t}}", peers.concat());
    }
    let _ = writeln!(
        out,
        "\tvirtual_ipaddress {{\n\t\t{}/32\n\t}}\n\ttrack_script {{\n\t\tapi\n\t\town\n\t}}\n}}",
        shared.address
    );
    out
}

/// Adverts, one a second, that may be missing before another takes the address: longer than the address
/// lives without its holder, see [`LIFE`].
const ADVERTS: u8 = 4;

/// Seconds that the address lives on a machine whose keepalived doesn't renew it.
const LIFE: u8 = 3;

/// Looks, one every 5 s, after which an API server counts as dead: more than a restart or an upgrade takes. The
/// first look of a keepalived that starts counts alone.
const DEAD: u8 = 12;

/// Run by keepalived, on every control plane. Before it is made nothing can be dead.
fn own(on: &On) -> String {
    format!(
        "#!/bin/bash\n\
         # Made by Bramble. Whether the API server of this machine is ready.\n\
         [ -e {admin} ] || exit 0\n\
         said=$(printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' | timeout 3 openssl s_client -quiet -connect {address} 2>/dev/null)\n\
         [[ ${{said%%$'\\n'*}} == *' 200 '* ]]\n",
        admin = control_plane::ADMIN,
        address = bramble_spec::cluster::with_port(&on.machine.address.to_string(), 6443),
    )
}

/// Run by keepalived once a second, on every control plane.
fn check(shared: &Shared) -> String {
    format!(
        "#!/bin/bash\n\
         # Made by Bramble. Renews the address where this machine holds it: the kernel lets go of it by itself\n\
         # when nobody does, be it that keepalived was killed or that everything here was frozen. Another control\n\
         # plane has it then, and one address must not have two owners. Then asks HAProxy whether it leads to an\n\
         # API server.\n\
         held=$(ip -o -4 address show dev {interface} to {address}/32)\n\
         [ -z \"$held\" ] || ip address change {address}/32 dev {interface} valid_lft {LIFE} preferred_lft {LIFE}\n\
         exec 3<>/dev/tcp/127.0.0.1/{HEALTH} || exit 1\n\
         printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3\n\
         read -r -t 1 line <&3\n\
         [[ $line == *' 200 '* ]]\n",
        interface = shared.interface,
        address = shared.address,
    )
}

/// TLS goes through to the API servers, which clients verify; a check that only asks whether one is ready
/// has nothing to protect, and begins before there is a CA. What is marked down loses its connections at
/// once: a frozen server would keep clients waiting for ever.
const BALANCING: &str = "\
# Made by Bramble.
global
	log stdout format raw local0 notice
	user haproxy
	group haproxy
	maxconn 8192

defaults
	log global
	mode tcp
	option dontlognull
	option dontlog-normal
	option redispatch 1
	option clitcpka
	option srvtcpka
	balance roundrobin
	retries 3
	timeout connect 2s
	timeout client 4h
	timeout server 4h
	timeout http-request 5s
	timeout check 1s
	default-server check check-ssl verify none inter 1s fastinter 500ms downinter 1s fall 2 rise 1 on-marked-down shutdown-sessions
";

/// Debian's unit leaves it dead once it was killed.
const RESTART: &str = "\
# Made by Bramble.
[Unit]
StartLimitIntervalSec=0

[Service]
Restart=always
RestartSec=1
";

const UNIT: &str = "\
# Made by Bramble.
[Unit]
Description=Leads to the API servers of the cluster
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
RuntimeDirectory=bramble-api
ExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/bramble-api.cfg -p /run/bramble-api/pid
ExecReload=/usr/sbin/haproxy -c -q -f /etc/haproxy/bramble-api.cfg
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
RestartSec=1
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
";
