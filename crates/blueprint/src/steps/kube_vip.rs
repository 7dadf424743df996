//! The address of the API that the control planes share, held by kube-vip: a static pod on each of them, one of
//! which has a lease in the cluster and with it the address.
//!
//! The pod's variables are those of kube-vip's documentation ("Static Pods", "Flags and Environment Variables").
//! It talks to the API server of its own machine (`kubernetes_addr`), so that neither an alias nor the address
//! itself is needed for that.

use super::control_plane;
use super::endpoint::interface;
use crate::context::{On, r};
use crate::obstacle::Obstacle;
use bramble_machine::kinds::{Action, Check, File};
use bramble_machine::{HOME, Resource, Script, Step};
use bramble_spec::cluster::{Endpoint, Role};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Short name of the image.
const IMAGE: &str = "kube-vip";
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-vip.yaml";
/// Seconds that the address lives on the machine that begins the cluster, while kubeadm is at work there.
const LIFE: u32 = 1200;

/// What the address is.
struct Shared {
    address: IpAddr,
    interface: String,
}

fn shared(on: &On) -> Option<Shared> {
    let Endpoint::KubeVip { address, .. } = on.cluster().kubernetes.endpoint else {
        return None;
    };
    on.is(Role::ControlPlane).then(|| Shared {
        address,
        interface: interface(on),
    })
}

/// The full name of the image in the bundle.
fn image(on: &On) -> Option<String> {
    let images = on.inputs.bundle?.images(on.arch());
    let mut images = images.filter(|i| i.short_name() == IMAGE);
    images.next().map(|i| i.reference.clone())
}

/// What is made before the machine becomes a control plane.
pub(super) fn step(on: &On) -> Option<Step> {
    let shared = shared(on)?;
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    let looked = on.inputs.facts.contains_key(&on.machine.name);
    if on.inputs.bundle.is_some() && looked && image(on).is_none() {
        out.push(r(Obstacle {
            name: "kube-vip".into(),
            what: format!(
                "the bundle holds no image of kube-vip for {}",
                on.arch().as_str()
            ),
            hint: "add it: docker save ghcr.io/kube-vip/kube-vip:v1.2.3 -o kube-vip.tar && bramble bundle add kube-vip.tar --for control-plane (or bramble bundle build --from upstream --image ...); or write `vip`, which needs none".into(),
        }));
    }
    out.push(r(freed(on, &shared)));
    Some(on.step(super::endpoint::NAME, out))
}

/// Who begins the cluster looks whether somebody else has the address. When all of this is undone no pod is left
/// that would let go of it.
fn freed(on: &On, shared: &Shared) -> Action {
    let Shared { address, interface } = shared;
    let mut run = Script::of(format!("address={address} dev={interface}"));
    if on.founds() {
        run.line(include_str!("kube_vip_free.sh"));
    }
    run.line("date >$B/endpoint.kube-vip");
    Action::new(
        "kube-vip-free",
        match on.founds() {
            true => format!("see that nobody has the address {address}"),
            false => format!("make ready for the address {address}"),
        },
        Check::Exists(format!("{HOME}/endpoint.kube-vip")),
        run,
    )
    .undone_by(format!(
        "ip address del {address}/32 dev {interface} 2>/dev/null || :\nrm -f $B/endpoint.kube-vip"
    ))
}

/// What goes before and after kubeadm on the machine that begins the cluster: it calls the API by the address, and
/// kube-vip can't have it before there is an API in which it could hold a lease. The address goes by itself
/// where this program is killed.
pub(super) fn lent(on: &On) -> (String, String) {
    match shared(on).filter(|_| on.founds()) {
        Some(Shared { address, interface }) => (
            format!(
                "ip address replace {address}/32 dev {interface} valid_lft {LIFE} preferred_lft {LIFE}"
            ),
            format!("ip address del {address}/32 dev {interface} 2>/dev/null || :"),
        ),
        None => (String::new(), String::new()),
    }
}

/// What is made once the machine is a control plane: kubeadm has no rights for it before.
pub(super) fn held(on: &On) -> Vec<Arc<dyn Resource>> {
    let Some((shared, image)) = shared(on).zip(image(on)) else {
        return Vec::new();
    };
    let file = File {
        mode: 0o600,
        ..File::text(MANIFEST, manifest(on, &shared, &image))
    };
    let mut answers = Action::new(
        "kube-vip-answers",
        format!("wait until the API answers at {}", shared.address),
        Check::Exists(format!("{HOME}/kube-vip.answers")),
        Script::of(format!(
            "address={}\n{}",
            shared.address,
            include_str!("kube_vip_answers.sh")
        )),
    )
    .undone_by("rm -f $B/kube-vip.answers");
    answers.limit = Duration::from_secs(200);
    vec![r(file), r(answers)]
}

/// Its lease is renewed every second and lost after 5 s; kube-vip's own defaults are 15 s and too slow for an
/// API that is to be back within 10 s. The release is named for the pod to be made anew with it: kubeadm renews
/// `admin.conf`, which kube-vip reads when it starts.
fn manifest(on: &On, shared: &Shared, image: &str) -> String {
    let Shared { address, interface } = shared;
    let (name, own, release) = (&on.machine.name, on.machine.address, on.version());
    let admin = control_plane::ADMIN;
    format!(
        r#"# Made by Bramble.
apiVersion: v1
kind: Pod
metadata:
  name: kube-vip
  namespace: kube-system
  labels: {{ app.kubernetes.io/name: kube-vip }}
  annotations: {{ bramble.dev/release: "{release}" }}
spec:
  hostNetwork: true
  priorityClassName: system-node-critical
  containers:
    - name: kube-vip
      image: "{image}"
      imagePullPolicy: IfNotPresent
      args: [manager]
      env:
        - {{ name: address, value: "{address}" }}
        - {{ name: port, value: "6443" }}
        - {{ name: vip_interface, value: "{interface}" }}
        - {{ name: vip_arp, value: "true" }}
        - {{ name: vip_subnet, value: "32" }}
        - {{ name: vip_cidr, value: "32" }}
        - {{ name: vip_nodename, value: "{name}" }}
        - {{ name: cp_enable, value: "true" }}
        - {{ name: cp_namespace, value: kube-system }}
        - {{ name: svc_enable, value: "false" }}
        - {{ name: vip_leaderelection, value: "true" }}
        - {{ name: vip_leasename, value: plndr-cp-lock }}
        - {{ name: vip_leaseduration, value: "5" }}
        - {{ name: vip_renewdeadline, value: "3" }}
        - {{ name: vip_retryperiod, value: "1" }}
        - {{ name: kubernetes_addr, value: "https://{own}:6443" }}
      securityContext:
        capabilities: {{ drop: [ALL], add: [NET_ADMIN, NET_RAW] }}
      volumeMounts:
        - {{ name: kubeconfig, mountPath: {admin}, readOnly: true }}
  volumes:
    - {{ name: kubeconfig, hostPath: {{ path: {admin}, type: File }} }}
"#
    )
}
