//! A mosquitto of one test, with TLS, a password and nothing retained.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const USER: &str = "dash01";
pub const PASSWORD: &str = "broker secret";
/// The name in the broker's certificate.
pub const NAME: &str = "broker.home.arpa";

pub struct Broker {
    child: Child,
    folder: tempfile::TempDir,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    pub authority: String,
}

impl Broker {
    pub fn start() -> Self {
        Self::with(certificates(Validity::Now))
    }

    /// With an authority's certificate, one that it signed, and its key.
    pub fn with((authority, certificate, key): (String, String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (plain, tls) = (free(), free());
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        write("server.pem", &certificate);
        write("server.key", &key);
        write("logins", "");
        run(
            "mosquitto_passwd",
            &["-b", path("logins").to_str().unwrap(), USER, PASSWORD],
        );
        write(
            "acl",
            &format!(
                "user {USER}\ntopic write bramble/v2/{USER}/request\ntopic read bramble/v2/{USER}/status\ntopic read bramble/v2/handler\ntopic readwrite DashButton\nuser handler\ntopic #\n"
            ),
        );
        run(
            "mosquitto_passwd",
            &["-b", path("logins").to_str().unwrap(), "handler", PASSWORD],
        );
        let place = folder.path().display();
        write(
            "mosquitto.conf",
            &format!(
                "per_listener_settings false\nallow_anonymous false\npassword_file {place}/logins\nacl_file {place}/acl\nuser root\n\
                 listener {} 127.0.0.1\nlistener {} 127.0.0.1\ncertfile {place}/server.pem\nkeyfile {place}/server.key\n\
                 tls_version tlsv1.3\n",
                plain.port(),
                tls.port()
            ),
        );
        let child = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(path("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto runs; install it: apt-get install mosquitto mosquitto-clients");
        let broker = Self {
            child,
            folder,
            plain,
            tls,
            authority,
        };
        for address in [plain, tls] {
            until("the broker listens", || {
                std::net::TcpStream::connect(address).is_ok()
            });
        }
        broker
    }

    /// Publishes as the handler.
    pub fn publish(&self, topic: &str, payload: &[u8], retain: bool) {
        let mut command = Command::new(program("mosquitto_pub"));
        command.args([
            "-V",
            "5",
            "-h",
            "127.0.0.1",
            "-u",
            "handler",
            "-P",
            PASSWORD,
            "-q",
            "1",
            "-s",
            "-t",
            topic,
        ]);
        command.arg("-p").arg(self.plain.port().to_string());
        if retain {
            command.arg("-r");
        }
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(payload).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Waits for the next message of a topic, as the handler hears it.
    pub fn listen(&self, topic: &str) -> Listening {
        let out = self.folder.path().join("heard");
        let mut command = Command::new(program("mosquitto_sub"));
        command.args([
            "-V",
            "5",
            "-h",
            "127.0.0.1",
            "-u",
            "handler",
            "-P",
            PASSWORD,
            "-q",
            "1",
            "-C",
            "1",
            "-W",
            "20",
            "-t",
            topic,
        ]);
        command.arg("-p").arg(self.plain.port().to_string());
        let child = command
            .stdout(std::fs::File::create(&out).unwrap())
            .spawn()
            .unwrap();
        Listening { child, out }
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

pub struct Listening {
    child: Child,
    out: PathBuf,
}

impl Listening {
    /// What was heard.
    pub fn heard(mut self) -> Vec<u8> {
        assert!(self.child.wait().unwrap().success(), "nothing was heard");
        let mut heard = std::fs::read(&self.out).unwrap();
        assert_eq!(heard.pop(), Some(b'\n'));
        heard
    }
}

/// When the broker's certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Now,
    Over,
    Later,
}

/// An authority, and what it signed for the broker: certificate and key.
pub fn certificates(validity: Validity) -> (String, String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (from, to) = match validity {
        Validity::Now => (2020, 2090),
        Validity::Over => (2020, 2021),
        Validity::Later => (2090, 2091),
    };
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let certificate = params.signed_by(&own, &issuer).unwrap();
    (authority.pem(), certificate.pem(), own.serialize_pem())
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "not in time: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn run(name: &str, arguments: &[&str]) {
    let done = Command::new(program(name)).args(arguments).status();
    let done = done.expect(
        "mosquitto's programs run; install them: apt-get install mosquitto mosquitto-clients",
    );
    assert!(done.success(), "{name}");
}

/// Debian keeps the broker where only root's PATH looks.
fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin"].map(|folder| PathBuf::from(folder).join(name));
    places
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| name.into())
}
