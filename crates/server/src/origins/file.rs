//! The cluster file that a template and a place come to.

use super::{Error, Place};
use bramble_spec::cluster::Role;
use bramble_store::record::{Machine, Template};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr};

/// A machine that a cluster gets.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    /// Host name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Where it is reached.
    pub address: IpAddr,
    /// Login name.
    pub user: Option<String>,
    /// Fingerprint of its host key.
    pub host_key: Option<String>,
}

/// How many control planes there can be: etcd's majorities.
const CONTROL_PLANES: [u8; 3] = [1, 3, 5];

/// Most workers of a template.
const WORKERS: u16 = 200;

/// The file of a cluster, in YAML. It is free of mistakes and names no other files.
pub(crate) fn compose(
    name: &str,
    template: &Template,
    plugin: Option<&str>,
    place: &Place,
) -> Result<String, Error> {
    let mut spec = template.spec.clone();
    if spec.contains_key("machines") {
        return Err(wrong("spec.machines: they come from the template's origin"));
    }
    merge(&mut spec, &place.spec);
    if let Some(plugin) = plugin {
        spec.insert("podNetwork".into(), json!({ "plugin": plugin }));
    }
    if let Some(shared) = place.shared.filter(|_| template.control_planes > 1) {
        let mut kubernetes = Map::new();
        kubernetes.insert("endpoint".into(), json!({ "vip": shared }));
        let endpoint = Map::from_iter([("kubernetes".to_owned(), Value::Object(kubernetes))]);
        merge(&mut spec, &endpoint);
    }
    spec.insert(
        "machines".into(),
        place.machines.iter().map(machine).collect(),
    );
    let file = json!({
        "apiVersion": bramble_spec::file::API_VERSION,
        "kind": bramble_spec::file::KIND,
        "metadata": { "name": name },
        "spec": spec,
    });
    let text = serde_saphyr::to_string(&file).map_err(|e| wrong(e.to_string()))?;
    valid(&text)?;
    Ok(text)
}

/// A file that has no mistakes and can be used anywhere: the daemon has none of the files beside it.
fn valid(text: &str) -> Result<(), Error> {
    let cluster = bramble_spec::load("bramble.yaml", text);
    let cluster = cluster.map_err(|problems| wrong(problems.to_string()))?;
    match cluster.companions().first() {
        None => Ok(()),
        Some(path) => Err(wrong(format!(
            "it names {path}, which the daemon does not have"
        ))),
    }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::Template(why.into())
}

/// Adds what is not said yet.
fn merge(into: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(more)) => merge(into, more),
            (Some(_), _) => {}
            (None, value) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn machine(placed: &Placed) -> Value {
    let mut ssh = Map::new();
    if let Some(user) = &placed.user {
        ssh.insert("user".into(), json!(user));
    }
    if let Some(key) = &placed.host_key {
        ssh.insert("hostKey".into(), json!(key));
    }
    let mut machine = json!({
        "name": placed.name,
        "address": placed.address,
        "roles": [placed.role],
    });
    if !ssh.is_empty() {
        machine["ssh"] = Value::Object(ssh);
    }
    machine
}

/// The roles that a template wants, control planes first.
pub(crate) fn roles(template: &Template) -> impl Iterator<Item = Role> {
    let planes = std::iter::repeat_n(Role::ControlPlane, template.control_planes.into());
    planes.chain(std::iter::repeat_n(Role::Worker, template.workers.into()))
}

/// Tries a machine in a cluster of its own.
pub(crate) fn check_machine(name: &str, machine: &Machine) -> Result<(), Error> {
    let placed = Placed {
        name: name.into(),
        role: Role::ControlPlane,
        address: machine.address,
        user: machine.user.clone(),
        host_key: machine.host_key.clone(),
    };
    let file = json!({
        "apiVersion": bramble_spec::file::API_VERSION,
        "kind": bramble_spec::file::KIND,
        "metadata": { "name": "example" },
        "spec": { "machines": [self::machine(&placed)] },
    });
    let file = file.to_string();
    let problems = bramble_spec::load("machine", &file).map(drop);
    problems.map_err(|problems| {
        let said = problems.list().iter().map(|problem| match &problem.hint {
            Some(hint) => format!("{}: {hint}", problem.message),
            None => problem.message.clone(),
        });
        Error::Machine(said.collect::<Vec<_>>().join("; "))
    })
}

/// Tries a template with machines that nobody has (RFC 5737: addresses for documentation).
pub(crate) fn check(template: &Template) -> Result<(), Error> {
    if !CONTROL_PLANES.contains(&template.control_planes) {
        return Err(wrong("controlPlanes: 1, 3 or 5"));
    }
    if template.workers > WORKERS {
        return Err(wrong(format!("workers: at most {WORKERS}")));
    }
    let machines = roles(template).zip(1..).map(|(role, at)| Placed {
        name: format!("machine-{at}"),
        role,
        address: Ipv4Addr::from(u32::from(Ipv4Addr::new(192, 0, 2, 0)) + at).into(),
        user: None,
        host_key: None,
    });
    let place = Place {
        machines: machines.collect(),
        shared: Some(Ipv4Addr::new(192, 0, 2, 250).into()),
        spec: Map::new(),
    };
    compose("example", template, None, &place).map(drop)
}
