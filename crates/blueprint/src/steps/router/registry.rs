//! Container images near the machines: mirrors, a private registry, the bundle's images.

use super::registry_config as config;
use crate::context::{On, r};
use crate::proxy;
use crate::registry::{
    BUNDLE, FOLDER, FRONT, KEYS, PRIVATE, Registries, USER, config as path, mirror_name, unit,
};
use crate::served::Served;
use bramble_bundle::index::Image;
use bramble_machine::kinds::{Action, Check, Content, Directory, File, MintedFile, Service};
use bramble_machine::shell::word;
use bramble_machine::{Resource, Script, Step};
use bramble_secret::Secret;
use bramble_spec::cluster::with_port;
use bramble_spec::cluster::{Arch, Machine, Registry, RegistryMirror};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const UNIT: &str = "/etc/systemd/system/bramble-registry@.service";
const PRUNE_TIMER: &str = "bramble-registry-prune.timer";

pub(crate) fn step(on: &On) -> Option<Step> {
    on.router()?;
    let registries = Registries::of(on.cluster())?;
    let mut out: Vec<Arc<dyn Resource>> = Vec::new();
    stores(&registries, &mut out);
    // Before the configuration: see what undoes them.
    out.extend(images(on, &registries).into_iter().map(r));
    out.push(r(keys(on, &registries)));
    out.push(r(Directory::new(FOLDER)));
    out.push(r(File::text(config::SERVE, config::serve())));
    out.push(r(File::text(config::AWAIT, config::AWAIT_PROGRAM)));
    out.push(r(File::text(UNIT, config::unit(&registries))));
    bundle(&registries, &mut out);
    private(on, &registries, &mut out);
    mirrors(on, &registries, &mut out);
    Some(on.step("router/registry", out))
}

/// Folders of what the registries hold. Only what the operator pushed can't be had again.
fn stores(registries: &Registries, out: &mut Vec<Arc<dyn Resource>>) {
    let dir = &registries.registry.dir;
    out.push(r(Directory::new(dir).owner(USER, USER).mode(0o750)));
    let mirrors = &registries.registry.mirrors;
    if registries.registry.private.is_some() {
        let folder = registries.store(PRIVATE);
        let lost = format!(
            "the images of the private registry in {folder} on {}",
            registries.router.machine
        );
        out.push(r(
            store(&folder, "the operator's own images").destroying(lost)
        ));
    }
    out.push(r(store(&registries.store(BUNDLE), "the bundle's images")));
    for mirror in mirrors {
        let what = format!("images of {}", mirror.host);
        out.push(r(store(&registries.store(&mirror_name(mirror)), &what)));
    }
    if !mirrors.is_empty() {
        out.push(r(store(&registries.store("front"), "what tags mean")));
    }
}

fn store(folder: &str, what: &str) -> Action {
    let path = word(folder);
    Action::new(
        format!("registry-store:{folder}"),
        format!("a folder for {what}"),
        Check::Exists(folder.to_owned()),
        Script::of(format!("install -d -o {USER} -g {USER} -m 0750 {path}")),
    )
    .undone_by(format!("rm -rf -- {path}"))
}

/// The images of the bundle by their names, for the processors that the machines have.
fn images(on: &On, registries: &Registries) -> Vec<Served> {
    let Some(bundle) = on.inputs.bundle else {
        return Vec::new();
    };
    let wanted = archs(on);
    let mut by_name: BTreeMap<&str, Vec<&Image>> = BTreeMap::new();
    for image in [Arch::Amd64, Arch::Arm64]
        .iter()
        .flat_map(|arch| bundle.images(*arch))
    {
        by_name.entry(&image.reference).or_default().push(image);
    }
    let served = |images: Vec<&Image>| Served {
        store: registries.store(BUNDLE),
        name: images[0].name(),
        images: images
            .into_iter()
            .filter(|i| wanted.contains(&i.arch))
            .cloned()
            .collect(),
    };
    by_name.into_values().map(served).collect()
}

/// Processors of the machines that pull from here, as far as they are known.
fn archs<'a>(on: &On<'a>) -> BTreeSet<Arch> {
    let nodes = on.cluster().machines.iter().filter(|m| m.is_node());
    let known = |machine: &'a Machine| {
        let facts = on.inputs.facts.get(&machine.name);
        let node = On {
            machine,
            facts: facts.unwrap_or(on.facts),
            inputs: on.inputs,
        };
        let pulls = Registries::seen_from(&node).is_some();
        (pulls && (facts.is_some() || machine.arch.is_some())).then(|| node.arch())
    };
    nodes.filter_map(known).collect()
}

fn keys(on: &On, registries: &Registries) -> bramble_machine::kinds::Minted {
    let fresh = on.inputs.fresh.registry.as_ref();
    let (certificate, key) = fresh.map_or_else(
        || (String::new(), Secret::new("")),
        |pair| (pair.certificate.clone(), pair.key.clone()),
    );
    registries.minted(vec![
        MintedFile::open(registries.certificate_file(), certificate),
        MintedFile::secret("key", key).group(USER),
    ])
}

/// A file that the registries may read, and nobody else.
fn closed(path: impl Into<String>, content: Content) -> File {
    File {
        group: USER.into(),
        ..File::new(path, content, 0o640)
    }
}

/// Where a registry listens and what it does not reach by itself, and the service.
fn service(name: &str, environment: String, files: &[String], out: &mut Vec<Arc<dyn Resource>>) {
    let env = format!("{FOLDER}/{name}.env");
    let files = files.iter().chain([&env]).map(|f| format!("file:{f}"));
    let watched = files.chain([format!("file:{UNIT}"), format!("keys:{KEYS}")]);
    let service = Service::on(unit(name)).watching(watched.collect::<Vec<_>>());
    out.push(r(File::text(env.as_str(), environment)));
    out.push(r(service));
}

fn bundle(registries: &Registries, out: &mut Vec<Arc<dyn Resource>>) {
    let text = config::bundle(registries, &registries.store(BUNDLE));
    out.push(r(closed(path(BUNDLE), Content::Text(text))));
    let listens = with_port(&registries.address(), Registry::BUNDLE_PORT);
    service(
        BUNDLE,
        config::environment(&listens, &[]),
        &[path(BUNDLE)],
        out,
    );
}

fn private(on: &On, registries: &Registries, out: &mut Vec<Arc<dyn Resource>>) {
    if registries.registry.private.is_none() {
        return;
    }
    // Read again by the server when it changes.
    let logins = on.inputs.fresh.logins.clone();
    let logins = Content::Secret(logins.unwrap_or_else(|| Secret::new("")));
    out.push(r(closed(config::LOGINS, logins)));
    let text = config::private(registries, &registries.store(PRIVATE));
    out.push(r(closed(path(PRIVATE), Content::Text(text))));
    let listens = with_port(&registries.address(), Registry::PRIVATE_PORT);
    service(
        PRIVATE,
        config::environment(&listens, &[]),
        &[path(PRIVATE)],
        out,
    );
}

fn mirrors(on: &On, registries: &Registries, out: &mut Vec<Arc<dyn Resource>>) {
    let mirrors = &registries.registry.mirrors;
    if mirrors.is_empty() {
        return;
    }
    for mirror in mirrors {
        one_mirror(on, registries, mirror, out);
    }
    let unit = format!("/etc/systemd/system/{FRONT}");
    out.push(r(File::text(config::NGINX, config::nginx(registries))));
    out.push(r(File::text(unit.as_str(), config::front(registries))));
    out.push(r(Service::on(FRONT).watching([
        format!("file:{}", config::NGINX),
        format!("file:{unit}"),
        format!("keys:{KEYS}"),
    ])));
    out.push(r(File::text(config::PRUNE, config::prune(registries))));
    let units = "/etc/systemd/system";
    let service = PRUNE_TIMER.replace(".timer", ".service");
    out.push(r(File::text(
        format!("{units}/{service}"),
        config::prune_unit(registries),
    )));
    out.push(r(File::text(
        format!("{units}/{PRUNE_TIMER}"),
        config::PRUNE_TIMER,
    )));
    out.push(r(Service::on(PRUNE_TIMER)));
}

fn one_mirror(
    on: &On,
    registries: &Registries,
    mirror: &RegistryMirror,
    out: &mut Vec<Arc<dyn Resource>>,
) {
    let name = mirror_name(mirror);
    let store = registries.store(&name);
    let password = mirror.login.as_ref().map(|(_, file)| on.secret(file));
    let password = password.unwrap_or_else(|| Secret::new(""));
    let text = config::mirror(mirror, &store, &password);
    // What can be shown is shown.
    let content = match mirror.login {
        Some(_) => Content::Secret(text),
        None => Content::Text(text.expose().to_owned()),
    };
    let offline = format!("{FOLDER}/{name}.offline.yml");
    out.push(r(closed(path(&name), content)));
    out.push(r(closed(
        offline.as_str(),
        Content::Text(config::offline(mirror, &store)),
    )));
    let mut variables = proxy::environment(on, &proxy::no_proxy(on));
    if let Some((folder, ca)) = own_certificate(on, mirror, &name) {
        variables.push(("SSL_CERT_DIR", format!("/etc/ssl/certs:{folder}")));
        out.push(r(Directory::new(folder)));
        out.push(r(ca));
    }
    let environment = config::environment(&config::listens(mirror), &variables);
    service(&name, environment, &[path(&name), offline], out);
}

/// The certificate of the operator's own that the other registry needs.
fn own_certificate(on: &On, mirror: &RegistryMirror, name: &str) -> Option<(String, File)> {
    let place = mirror.url.split_once("://")?.1.split('/').next()?;
    let trust = &on.cluster().mirrors.trust;
    let file = trust.get(place).or_else(|| trust.get(&mirror.host))?;
    let folder = format!("{FOLDER}/{name}.trust");
    let ca = File::text(format!("{folder}/ca.crt"), on.asset(file));
    Some((folder, ca))
}
