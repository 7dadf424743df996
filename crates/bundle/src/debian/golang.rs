//! Kubernetes' programs from Debian's source package.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bramble_spec::cluster::{Arch, Version};
use tokio::process::Command;

use super::apt::with_extension;
use super::tools::GO;
use crate::Error;
use crate::exec::Run;
use crate::files::create_dir;

/// Programs to build.
pub(crate) const PROGRAMS: [&str; 7] = [
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
];

/// Import path of the tree; the code expects it.
const ROOT: &str = "k8s.io/kubernetes";

/// 4 minutes on 2 cores of 2026; a Raspberry Pi 4 needs about ten times as much.
const BUILD_LIMIT: Duration = Duration::from_secs(90 * 60);

fn tree(gopath: &Path) -> PathBuf {
    gopath.join("src").join(ROOT)
}

fn go(gopath: &Path, cache: &Path) -> Command {
    let mut command = Command::new(GO);
    command
        .current_dir(tree(gopath))
        .env("GOPATH", gopath)
        .env("GOCACHE", cache)
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOENV", "off")
        .env_remove("GOFLAGS")
        .env_remove("GOROOT")
        .env_remove("GOOS")
        .env_remove("GOARCH");
    command
}

/// Unpacks the source package into `gopath` and makes it fit for Go 1.19.
pub(crate) async fn prepare(
    source: &Path,
    reflect2: &Path,
    gopath: &Path,
    go_cache: &Path,
    run: &Run<'_>,
) -> Result<(), Error> {
    let tree = tree(gopath);
    create_dir(tree.parent().unwrap_or(gopath))?;
    let [dsc] = with_extension(source, "dsc")?
        .try_into()
        .map_err(|found: Vec<_>| Error::Invalid {
            place: source.display().to_string(),
            problem: format!(
                "{} .dsc files instead of one; remove the folder and build again",
                found.len()
            ),
        })?;
    // apt has checked the files against the signed list.
    let mut unpack = Command::new("dpkg-source");
    unpack.args(["--no-check", "-x"]).arg(dsc).arg(&tree);
    run.run(&mut unpack).await?;
    replace_reflect2(&tree, reflect2)?;
    generate_openapi(&tree, gopath, go_cache, run).await
}

/// The vendored copy reads Go's internals as they were before 1.18 and panics.
fn replace_reflect2(tree: &Path, package: &Path) -> Result<(), Error> {
    const NAME: &str = "github.com/modern-go/reflect2";
    let to = tree.join("vendor").join(NAME);
    let from = package.join("usr/share/gocode/src").join(NAME);
    std::fs::remove_dir_all(&to).map_err(Error::io("remove", &to))?;
    create_dir(&to)?;
    for entry in std::fs::read_dir(&from).map_err(Error::io("list", &from))? {
        let path = entry.map_err(Error::io("list", &from))?.path();
        if path.is_file() {
            let target = to.join(path.file_name().unwrap_or_default());
            std::fs::copy(&path, &target).map_err(Error::io("write", &target))?;
        }
    }
    Ok(())
}

/// Upstream's build makes this file and does not ship it.
async fn generate_openapi(
    tree: &Path,
    gopath: &Path,
    go_cache: &Path,
    run: &Run<'_>,
) -> Result<(), Error> {
    let generator = gopath.join("openapi-gen");
    let mut build = go(gopath, go_cache);
    build
        .args(["build", "-o"])
        .arg(&generator)
        .arg(format!("{ROOT}/vendor/k8s.io/kube-openapi/cmd/openapi-gen"));
    run.run(&mut build).await?;
    let inputs = tagged_packages(tree)?;
    let mut generate = Command::new(&generator);
    generate
        .current_dir(tree)
        .env("GOPATH", gopath)
        .env("GO111MODULE", "off")
        .env("GOCACHE", go_cache)
        .env("PATH", search_path_with_go())
        .args(["--logtostderr", "-i"])
        .arg(inputs.join(","))
        .args([
            "-p",
            &format!("{ROOT}/pkg/generated/openapi"),
            "-O",
            "zz_generated.openapi",
        ])
        .args(["-h", "hack/boilerplate/boilerplate.generatego.txt", "-r"])
        .arg(gopath.join("openapi-violations"))
        .arg("--output-base")
        .arg(gopath.join("src"));
    run.run(&mut generate).await
}

/// The generator asks the `go` program where packages are.
fn search_path_with_go() -> String {
    let rest = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let bin = Path::new(GO).parent().unwrap_or(Path::new("/"));
    format!("{}:{rest}", bin.display())
}

/// Import paths of the packages that ask for OpenAPI definitions.
fn tagged_packages(tree: &Path) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut todo = vec![tree.join("pkg"), tree.join("staging/src")];
    while let Some(dir) = todo.pop() {
        let mut tagged = false;
        for entry in std::fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let entry = entry.map_err(Error::io("list", &dir))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(Error::io("read", &path))?;
            // Examples and the generators themselves carry the tag too.
            let example = ["_examples", "sample-apiserver", "code-generator"]
                .contains(&entry.file_name().to_string_lossy().as_ref());
            if kind.is_dir() && !example {
                todo.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|e| e == "go") && !tagged {
                let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
                tagged = text.lines().any(|l| l == "// +k8s:openapi-gen=true");
            }
        }
        if tagged && let Ok(below) = dir.strip_prefix(tree) {
            let below = below.to_string_lossy();
            found.push(match below.strip_prefix("staging/src/") {
                Some(staged) => format!("{ROOT}/vendor/{staged}"),
                None => format!("{ROOT}/{below}"),
            });
        }
    }
    found.sort();
    Ok(found)
}

/// Builds all programs into a folder. `version` is what they call themselves.
pub(crate) async fn build(
    gopath: &Path,
    go_cache: &Path,
    arch: Arch,
    version: Version,
    into: &Path,
    run: &Run<'_>,
) -> Result<(), Error> {
    let mut command = go(gopath, go_cache);
    command
        .env("GOARCH", arch.as_str())
        // -trimpath: the cache serves a tree at another place, and no local path ends up in the programs.
        .args([
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            &link_flags(version),
            "-o",
        ])
        .arg(format!("{}/", into.display()))
        .args(PROGRAMS.map(|name| format!("{ROOT}/cmd/{name}")));
    let run = Run {
        limit: BUILD_LIMIT,
        ..*run
    };
    run.run(&mut command).await
}

/// `kubectl` is linked with the vendored path, some programs with the plain one: both are set.
fn link_flags(version: Version) -> String {
    let Version { major, minor, .. } = version;
    let mut flags = String::from("-s -w");
    for package in [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ] {
        for prefix in ["", "k8s.io/kubernetes/vendor/"] {
            for (name, value) in [
                ("gitVersion", version.to_string()),
                ("gitMajor", major.to_string()),
                ("gitMinor", minor.to_string()),
                ("gitTreeState", "clean".into()),
                ("gitCommit", "debian".into()),
                ("buildDate", "1970-01-01T00:00:00Z".into()),
            ] {
                flags.push_str(&format!(" -X {prefix}{package}.{name}={value}"));
            }
        }
    }
    flags
}
