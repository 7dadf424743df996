//! `bramble bundle`: make, verify and list bundles.

use crate::args::{BundleAction, BundleFrom, Global};
use crate::bundles;
use crate::context::load_file;
use crate::error::{CliError, Kind, chain};
use crate::printer::{Printer, Style};
use crate::progress_bundle::Progress;
use bramble_bundle::{
    Artefact, Bundle, Event, Finding, Index, Patience, Report, Source, Upstream, Url, parse_version,
};
use bramble_spec::cluster::{Arch, Version};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

mod add;
mod push;

/// Runs one of the actions.
pub async fn run(global: &Global, action: BundleAction, printer: &Printer) -> Result<(), CliError> {
    match action {
        BundleAction::Build {
            from,
            version,
            url,
            registry,
            label,
            images,
            archs,
            dir,
        } => {
            let wish = Wish {
                from,
                version: wanted_version(global, from, version.as_deref(), printer)?,
                url: url.as_deref().map(|u| address("--url", u)).transpose()?,
                registry: registry
                    .as_deref()
                    .map(|u| address("--registry", u))
                    .transpose()?,
                label: label
                    .as_deref()
                    .map(parse_version)
                    .transpose()
                    .map_err(|e| CliError::usage(format!("--label: {e}")))?,
                images,
                archs: archs.iter().map(|a| arch(a)).collect::<Result<_, _>>()?,
            };
            let called = wish.label.unwrap_or(wish.version);
            let dir = dir.unwrap_or_else(|| usual_dir().join(format!("{}-{called}", name(from))));
            build(wish, dir, printer).await
        }
        BundleAction::Add {
            image,
            name,
            machines,
            dir,
        } => add::run(global, &image, name.as_deref(), machines, dir, printer),
        BundleAction::Push { dir } => push::run(global, dir, printer).await,
        BundleAction::Verify { dir } => verify(global, dir, printer).await,
        BundleAction::List { dir: Some(dir) } => {
            show_one(&Bundle::open(&dir).map_err(explain)?, printer);
            Ok(())
        }
        BundleAction::List { dir: None } => {
            show_all(printer);
            Ok(())
        }
    }
}

/// What is to be built.
struct Wish {
    from: BundleFrom,
    version: Version,
    url: Option<Url>,
    registry: Option<Url>,
    label: Option<Version>,
    images: Vec<String>,
    archs: Vec<Arch>,
}

fn name(from: BundleFrom) -> &'static str {
    match from {
        BundleFrom::Upstream => "upstream",
        BundleFrom::Mirror => "mirror",
        BundleFrom::Debian => "debian",
    }
}

/// The named release, the cluster file's if there is one, else the usual one of the source.
fn wanted_version(
    global: &Global,
    from: BundleFrom,
    named: Option<&str>,
    printer: &Printer,
) -> Result<Version, CliError> {
    if let Some(text) = named {
        return parse_version(text).map_err(|e| CliError::usage(format!("--version: {e}")));
    }
    if global.file.exists() {
        return Ok(load_file(&global.file, printer)?.kubernetes.version);
    }
    Ok(match from {
        BundleFrom::Debian => bramble_bundle::DEBIAN_VERSION,
        BundleFrom::Upstream | BundleFrom::Mirror => bramble_spec::DEFAULT_VERSION,
    })
}

/// Where new bundles go: root's are for everybody on this computer.
fn usual_dir() -> PathBuf {
    let [own, shared] = bundles::dirs();
    if rustix::process::geteuid().is_root() {
        shared
    } else {
        own
    }
}

fn address(option: &str, text: &str) -> Result<Url, CliError> {
    // Without the slash, the last part of the path would be replaced instead of extended.
    let slash = if text.ends_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("{text}{slash}"))
        .ok()
        .filter(|u| u.has_host());
    url.ok_or_else(|| {
        CliError::usage(format!("{option}: {text:?} is no URL"))
            .hint("write it with its scheme: https://mirror.internal/kubernetes/")
    })
}

fn arch(text: &str) -> Result<Arch, CliError> {
    let all = [Arch::Amd64, Arch::Arm64];
    all.into_iter().find(|a| a.as_str() == text).ok_or_else(|| {
        CliError::usage(format!(
            "--arch: {text:?} is no architecture that Kubernetes machines have"
        ))
        .hint(format!(
            "architectures are: {}",
            all.map(Arch::as_str).join(", ")
        ))
    })
}

fn source(wish: &Wish) -> Result<Source, CliError> {
    let needless = |option: &str| {
        Err(CliError::usage(format!(
            "{option} means nothing with --from {}",
            name(wish.from)
        )))
    };
    match wish.from {
        BundleFrom::Debian if wish.url.is_some() => needless("--url"),
        BundleFrom::Debian | BundleFrom::Mirror if wish.registry.is_some() => {
            needless("--registry")
        }
        BundleFrom::Upstream | BundleFrom::Mirror if wish.label.is_some() => needless("--label"),
        BundleFrom::Debian | BundleFrom::Mirror if !wish.images.is_empty() => {
            needless("--image").map_err(|e| e.hint("add it from a file: bramble bundle add FILE"))
        }
        BundleFrom::Debian => Ok(Source::Debian {
            cache: bramble_bundle::DEBIAN_CACHE.into(),
            as_version: wish.label,
        }),
        BundleFrom::Mirror => {
            let base = wish.url.clone().ok_or_else(|| {
                CliError::usage("--from mirror needs to know where")
                    .hint("say --url https://... : the folder that has bundle.json")
            })?;
            Ok(Source::Mirror {
                base,
                patience: Patience::default(),
            })
        }
        BundleFrom::Upstream => {
            let mut upstream = Upstream::default();
            if let Some(url) = &wish.url {
                upstream.release_base = url.clone();
            }
            if let Some(registry) = &wish.registry {
                upstream.registry = registry.clone();
            }
            upstream.images = wish.images.clone();
            Ok(Source::Upstream(Box::new(upstream)))
        }
    }
}

async fn build(wish: Wish, dir: PathBuf, printer: &Printer) -> Result<(), CliError> {
    let source = source(&wish)?;
    printer.note(format!(
        "Kubernetes {} from {}, to {}",
        wish.version,
        name(wish.from),
        dir.display()
    ));
    let progress = Progress::new(printer);
    let built = bramble_bundle::build(source, wish.version, &wish.archs, &dir, |e| match e {
        Event::Damaged(Finding {
            artefact, problem, ..
        }) => printer.warn(format!("{artefact} is damaged and made anew: {problem}")),
        e => progress.tell(&e),
    })
    .await;
    progress.end();
    let bundle = built.map_err(|error| {
        let wrong_use = matches!(error, bramble_bundle::Error::Request(_));
        let error = explain(error);
        if wrong_use {
            return error;
        }
        let error = error
            .hint("what arrived or was made so far is kept: the same command goes on from there");
        match wish.from {
            BundleFrom::Upstream => error.hint(
                "where the release site can't be reached: --from mirror --url URL (a copy of a bundle), or --from debian",
            ),
            _ => error,
        }
    })?;
    if printer.json() {
        printer.value(&brief(&bundle));
    } else {
        printer.out(printer.paint(Style::Green, line(&bundle)));
    }
    Ok(())
}

/// The named bundle, or the one that the cluster file uses.
fn named_or_used(
    global: &Global,
    dir: Option<PathBuf>,
    printer: &Printer,
) -> Result<Bundle, CliError> {
    if let Some(dir) = dir.or_else(|| global.bundle.clone()) {
        return Bundle::open(&dir).map_err(explain);
    }
    let cluster = load_file(&global.file, printer)?;
    let found = bundles::find(&cluster, None)?;
    found.bundle.ok_or_else(|| {
        let version = cluster.kubernetes.version;
        let what = format!("there is no bundle of Kubernetes {version} on this computer");
        CliError::failed(bundles::with_broken(what, &found.broken))
            .hint("name one; `bramble bundle list` shows which there are")
    })
}

async fn verify(global: &Global, dir: Option<PathBuf>, printer: &Printer) -> Result<(), CliError> {
    let bundle = named_or_used(global, dir, printer)?;
    let progress = Arc::new(Progress::new(printer));
    let (shown, read) = (progress.clone(), bundle.clone());
    let report = tokio::task::spawn_blocking(move || {
        read.verify(|done, of| shown.bytes("verifying", done, of))
    })
    .await
    .map_err(|e| CliError::failed(format!("the verification broke off: {e}")))?;
    progress.end();
    let report = report.map_err(explain)?;
    say_report(&bundle, &report, printer);
    if report.is_sound() {
        return Ok(());
    }
    let count = report.bad.len() + report.missing.len();
    if printer.json() {
        return Err(CliError::silent(Kind::Failed));
    }
    let what = match count {
        1 => "1 file is not as it should be".to_owned(),
        count => format!("{count} files are not as they should be"),
    };
    Err(CliError::failed(format!("{}: {what}", bundle.dir().display())).hint(remedy(&bundle)))
}

/// The command that replaces what is damaged and leaves the rest.
fn remedy(bundle: &Bundle) -> String {
    let Index {
        kubernetes,
        source,
        archs,
        ..
    } = bundle.index();
    let archs: String = archs
        .iter()
        .map(|a| format!(" --arch {}", a.as_str()))
        .collect();
    format!(
        "replace it: bramble bundle build --from {} --version {kubernetes}{archs} --dir {} (a bundle from a \
         mirror: with --from mirror and its --url)",
        source.kind,
        bundle.dir().display()
    )
}

fn say_report(bundle: &Bundle, report: &Report, printer: &Printer) {
    let findings: Vec<_> = report.bad.iter().chain(&report.missing).collect();
    if printer.json() {
        let list: Vec<Value> = findings
            .iter()
            .map(|f| json!({ "artefact": f.artefact, "file": f.path, "problem": f.problem }))
            .collect();
        printer.value(&json!({
            "dir": bundle.dir(), "sound": report.is_sound(), "good": report.good,
            "bytes": report.bytes, "findings": list, "superfluous": report.superfluous,
        }));
        return;
    }
    for finding in findings {
        let name = printer.paint(Style::Red, &finding.artefact);
        printer.out(format!(
            "{name}: {}: {}",
            finding.path.display(),
            finding.problem
        ));
    }
    for path in &report.superfluous {
        printer.note(format!(
            "note: {} belongs to nothing; it does no harm",
            path.display()
        ));
    }
    if report.is_sound() {
        let (dir, good) = (bundle.dir().display(), report.good);
        let s = if good == 1 { "" } else { "s" };
        printer.out(format!(
            "{dir} is sound: {good} file{s}, {}",
            size(report.bytes)
        ));
    }
}

/// All bundles where they are looked for.
fn show_all(printer: &Printer) {
    let dirs = bundles::dirs();
    let mut paths: Vec<PathBuf> = dirs
        .iter()
        .filter_map(|d| std::fs::read_dir(d).ok())
        .flat_map(|entries| entries.flatten().map(|e| e.path()))
        .filter(|path| path.join("bundle.json").exists())
        .collect();
    paths.sort();
    let (found, broken): (Vec<_>, Vec<_>) = paths
        .iter()
        .map(|p| (p, Bundle::open(p)))
        .partition(|(_, b)| b.is_ok());
    let found: Vec<Bundle> = found.into_iter().filter_map(|(_, b)| b.ok()).collect();
    let broken: Vec<(&PathBuf, String)> = broken
        .into_iter()
        .filter_map(|(p, b)| Some((p, chain(&b.err()?))))
        .collect();
    if printer.json() {
        let broken: Vec<Value> = broken
            .iter()
            .map(|(p, why)| json!({ "dir": p, "error": why }))
            .collect();
        let found: Vec<Value> = found.iter().map(brief).collect();
        printer.value(&json!({ "bundles": found, "unreadable": broken }));
        return;
    }
    for bundle in &found {
        printer.out(line(bundle));
    }
    for (path, why) in &broken {
        printer.warn(format!("{}: {why}", path.display()));
    }
    if found.is_empty() {
        let dirs: Vec<String> = dirs.iter().map(|d| d.display().to_string()).collect();
        printer.out(format!("there are no bundles in {}", dirs.join(" and ")));
    }
}

/// What one bundle holds.
fn show_one(bundle: &Bundle, printer: &Printer) {
    if printer.json() {
        let mut out = brief(bundle);
        out["artefacts"] = json!(bundle.index().artefacts);
        printer.value(&out);
        return;
    }
    printer.out(line(bundle));
    for artefact in &bundle.index().artefacts {
        let kind = match artefact {
            Artefact::Binary(_) => "program",
            Artefact::Archive(_) => "archive",
            Artefact::Image(_) => "image",
        };
        let (size, arch) = (size(artefact.size()), artefact.arch().as_str());
        printer.out(format!(
            "  {kind:<8} {arch:<6} {size:>9}  {}",
            artefact.name()
        ));
    }
}

fn brief(bundle: &Bundle) -> Value {
    let index = bundle.index();
    json!({
        "dir": bundle.dir(),
        "kubernetes": index.kubernetes.to_string(),
        "source": { "kind": index.source.kind, "detail": index.source.detail },
        "archs": index.archs,
        "bytes": total(index),
        "complete": bundle.is_complete(),
    })
}

fn line(bundle: &Bundle) -> String {
    let index = bundle.index();
    let archs: Vec<&str> = index.archs.iter().map(|a| a.as_str()).collect();
    format!(
        "{:<9} {:<9} {:<12} {:>9}  {}{}",
        index.kubernetes.to_string(),
        index.source.kind,
        archs.join(" "),
        size(total(index)),
        bundle.dir().display(),
        if bundle.is_complete() {
            ""
        } else {
            "  (incomplete: bramble bundle verify says what is missing)"
        }
    )
}

/// Bytes of all blobs; several artefacts may share one.
fn total(index: &Index) -> u64 {
    let mut blobs: Vec<(&str, u64)> = index
        .artefacts
        .iter()
        .map(|a| (a.sha256(), a.size()))
        .collect();
    blobs.sort_unstable();
    blobs.dedup();
    blobs.iter().map(|(_, size)| size).sum()
}

fn size(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn explain(error: bramble_bundle::Error) -> CliError {
    let kind = match error {
        bramble_bundle::Error::Request(_) => Kind::Usage,
        _ => Kind::Failed,
    };
    CliError::new(kind, chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_last_part() {
        let url = |text| {
            address("--url", text)
                .map(|u| u.to_string())
                .map_err(|e| e.message)
        };
        assert_eq!(
            url("http://mirror/v1.34.2"),
            Ok("http://mirror/v1.34.2/".to_owned())
        );
        assert_eq!(
            url("http://mirror/v1.34.2/"),
            Ok("http://mirror/v1.34.2/".to_owned())
        );
        assert!(url("mirror/v1.34.2").is_err());
    }
}
