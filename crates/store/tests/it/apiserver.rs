//! A real API server on loopback: etcd and the kube-apiserver of Bramble's own bundle. A watching shell ends them
//! and removes their files when this process ends, however it ends.

use bramble_store::{Kubernetes, KubernetesSettings, definitions};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Long enough for a slow computer.
pub const LONG: Duration = Duration::from_secs(60);

/// The bundle that has the programs.
const BUNDLE: &str = "/var/cache/bramble/bundles/debian-v1.20.2";

/// An API server that knows Bramble's resources.
pub struct ApiServer {
    dir: PathBuf,
    programs: &'static Programs,
    /// Its standard input is the line that the processes live by: a word restarts the API server.
    watch: Mutex<Child>,
}

struct Programs {
    server: PathBuf,
    kubectl: PathBuf,
}

/// The programs, taken out of the bundle once; says loudly why there are none.
fn programs() -> Option<&'static Programs> {
    static PROGRAMS: OnceLock<Option<Programs>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| match unpacked() {
        Ok(programs) => Some(programs),
        Err(why) => {
            // Past the harness, which would keep it to itself.
            let mut loud = std::io::stderr();
            let _ = writeln!(loud, "SKIPPED: no test against a Kubernetes API: {why}");
            None
        }
    });
    programs.as_ref()
}

fn unpacked() -> Result<Programs, String> {
    if !Path::new("/usr/bin/etcd").exists() {
        return Err("etcd is missing (Debian package etcd-server)".into());
    }
    let index = Path::new(BUNDLE).join("bundle.json");
    let index = std::fs::read(&index).map_err(|e| format!("{}: {e}", index.display()))?;
    let index: serde_json::Value = serde_json::from_slice(&index).map_err(|e| e.to_string())?;
    let blob = |field: &str, begin: &str| {
        let artefacts = index["artefacts"].as_array().into_iter().flatten();
        let mut named =
            artefacts.filter(|a| a[field].as_str().is_some_and(|n| n.starts_with(begin)));
        let hash = named.find_map(|a| a["sha256"].as_str());
        let hash = hash.ok_or_else(|| format!("{BUNDLE} has no {begin}"))?;
        Ok::<_, String>((
            Path::new(BUNDLE).join("blobs/sha256").join(hash),
            hash.to_owned(),
        ))
    };
    let (image, hash) = blob("reference", "k8s.gcr.io/kube-apiserver")?;
    let (kubectl, _) = blob("name", "kubectl")?;
    // Kept from one test run to the next: it is large.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("apiserver-{}", &hash[..12]));
    let server = place.join("kube-apiserver");
    if !server.exists() {
        unpack(&image, &server)?;
    }
    let tool = place.join("kubectl");
    if !tool.exists() {
        put(&tool, |to| {
            std::fs::copy(&kubectl, to)
                .map(drop)
                .map_err(|e| e.to_string())
        })?;
    }
    Ok(Programs {
        server,
        kubectl: tool,
    })
}

/// Takes the program out of the layers of an OCI archive.
fn unpack(image: &Path, program: &Path) -> Result<(), String> {
    put(program, |to| {
        let script = "set -e; for layer in $(tar tf \"$1\" | grep blobs/sha256/.); do \
                      tar xOf \"$1\" \"$layer\" | tar xO --wildcards '*kube-apiserver' >\"$2\" 2>/dev/null || true; \
                      [ ! -s \"$2\" ] || exit 0; done; exit 1";
        let done = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(image)
            .arg(to)
            .status();
        match done {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("{} can't be unpacked: {other:?}", image.display())),
        }
    })
}

/// Makes a program, whole or not at all.
fn put(path: &Path, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let text = |e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(path.parent().unwrap()).map_err(text)?;
    let beside = path.with_extension(std::process::id().to_string());
    make(&beside)?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).map_err(text)?;
    std::fs::rename(&beside, path).map_err(text)
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn signed(
    issuer: &Issuer<'_, KeyPair>,
    names: &[&str],
    user: &str,
    group: &str,
) -> (String, String) {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, user);
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}

const WATCH: &str = r#"
cd "$DIR" || exit 1
etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls "$ETCD" --advertise-client-urls "$ETCD" \
  --listen-peer-urls "$PEER" --initial-advertise-peer-urls "$PEER" --initial-cluster "default=$PEER" \
  >etcd.log 2>&1 </dev/null & etcd=$!
serve() {
  "$SERVER" --etcd-servers="$ETCD" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \
    --secure-port="$PORT" --authorization-mode=RBAC --client-ca-file=ca.crt --tls-cert-file=server.crt \
    --tls-private-key-file=server.key --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
    --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
    >>apiserver.log 2>&1 </dev/null & server=$!
}
serve
while read -r word; do
  kill -9 $server; wait $server
  [ "$word" = stop ] || serve
done
kill -9 $etcd $server
wait
rm -rf "$DIR"
"#;

impl ApiServer {
    /// The one of all tests of this program; none where the programs are missing.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<ApiServer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// One of its own, for tests that end it.
    pub fn start() -> Option<Self> {
        let programs = programs()?;
        let dir = tempfile::Builder::new()
            .prefix("bramble-apiserver-")
            .tempdir()
            .unwrap()
            .keep();
        let port = free_port();
        certificates(&dir, port);
        let watch = Command::new("sh")
            .args(["-c", WATCH])
            .env("DIR", &dir)
            .env("SERVER", &programs.server)
            .env("ETCD", format!("http://127.0.0.1:{}", free_port()))
            .env("PEER", format!("http://127.0.0.1:{}", free_port()))
            .env("PORT", port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Self {
            dir,
            programs,
            watch: Mutex::new(watch),
        };
        server.wait();
        server.apply(&definitions());
        Some(server)
    }

    /// Waits until it answers.
    pub fn wait(&self) {
        let begin = Instant::now();
        loop {
            let asked = self.kubectl(&["get", "--raw", "/readyz"]);
            if asked.status.success() {
                return;
            }
            if begin.elapsed() > LONG {
                let log = std::fs::read_to_string(self.dir.join("apiserver.log"));
                let log = log.unwrap_or_default();
                let from = log.len().saturating_sub(4000);
                panic!("no API server: {asked:?}\n{}", &log[from..]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills the API server and starts it again; etcd goes on.
    pub fn restart(&self) {
        self.say("again");
    }

    /// Kills the API server.
    pub fn stop(&self) {
        self.say("stop");
    }

    fn say(&self, word: &str) {
        let mut watch = self.watch.lock().unwrap();
        writeln!(watch.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// The admin's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("admin.conf")
    }

    /// Runs the bundle's kubectl.
    pub fn kubectl(&self, words: &[&str]) -> Output {
        Command::new(&self.programs.kubectl)
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", &self.dir)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What kubectl says where it must succeed.
    pub fn says(&self, words: &[&str]) -> String {
        let output = self.kubectl(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Applies definitions and waits until they hold.
    fn apply(&self, text: &str) {
        let file = self.dir.join("definitions.yaml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        self.says(&["apply", "-f", file]);
        self.says(&[
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            "-f",
            file,
        ]);
    }

    /// A fresh namespace.
    pub fn namespace(&self) -> String {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("t{}-{number}", std::process::id());
        self.says(&["create", "namespace", &name]);
        name
    }

    /// A store in a namespace.
    pub async fn store(&self, namespace: &str) -> Kubernetes {
        let settings = KubernetesSettings {
            kubeconfig: Some(self.kubeconfig()),
            context: None,
            namespace: Some(namespace.to_owned()),
        };
        Kubernetes::connect(&settings).await.unwrap()
    }
}

fn certificates(dir: &Path, port: u16) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "test CA");
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let server = signed(&issuer, &["127.0.0.1"], "kube-apiserver", "none");
    let admin = signed(&issuer, &[], "admin", "system:masters");
    let account = KeyPair::generate().unwrap();
    let mut conf = String::new();
    write!(
        conf,
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: ca.crt}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]\n\
         users: [{{name: admin, user: {{client-certificate: admin.crt, client-key: admin.key}}}}]\n"
    )
    .unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write("ca.crt", &ca);
    write("server.crt", &server.0);
    write("server.key", &server.1);
    write("admin.crt", &admin.0);
    write("admin.key", &admin.1);
    write("sa.key", &account.serialize_pem());
    write("sa.pub", &account.public_key_pem());
    write("admin.conf", &conf);
}
