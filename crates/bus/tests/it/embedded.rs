//! The embedded broker against mosquitto's clients.

use crate::mosquitto::{Way, said};
use crate::world::{Certificates, LIMIT, next, nothing};
use async_trait::async_trait;
use bramble_bus::{Act, Bus, Client, Embedded, Error, Gate, Listen, Message, Settings, Visitor};
use bramble_secret::Secret;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ONE: (&str, &str) = ("one", "word of one");
const TWO: (&str, &str) = ("two", "word of two");

/// Two users, each with topics of their own, until they are removed.
#[derive(Default)]
struct Users {
    removed: AtomicBool,
}

impl Users {
    fn has(&self, user: &str) -> bool {
        [ONE.0, TWO.0].contains(&user) && !self.removed.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Gate for Users {
    async fn admits(&self, visitor: &Visitor<'_>) -> bool {
        self.has(visitor.user)
            && visitor.client == visitor.user
            && visitor.encrypted
            && [ONE, TWO].contains(&(visitor.user, visitor.password.expose()))
    }

    async fn allows(&self, user: &str, act: Act, topic: &str) -> bool {
        let own = match act {
            Act::Publish => format!("{user}/request"),
            Act::Subscribe => format!("{user}/status"),
        };
        self.has(user) && topic == own
    }
}

struct World {
    bus: Embedded,
    users: Arc<Users>,
    certificates: Certificates,
}

impl World {
    async fn new() -> Self {
        Self::with(Certificates::new()).await
    }

    async fn with(certificates: Certificates) -> Self {
        let users = Arc::new(Users::default());
        let listen = Listen {
            tls: "127.0.0.1:0".parse().unwrap(),
            certificate: certificates.file("broker.pem"),
            key: certificates.file("broker.key"),
            plain: Some("127.0.0.1:0".parse().unwrap()),
        };
        let secret = bramble_keys::password().unwrap();
        let bus = Embedded::open(&listen, users.clone(), secret, None).await;
        Self {
            bus: bus.unwrap(),
            users,
            certificates,
        }
    }

    fn way(&self) -> Way {
        Way {
            port: self.bus.tls().port(),
            authority: Some(self.certificates.file("ca.pem")),
        }
    }

    fn settings(&self, (user, password): (&str, &str)) -> Settings {
        Settings {
            broker: format!("mqtts://localhost:{}", self.bus.tls().port())
                .parse()
                .unwrap(),
            client: user.into(),
            login: Some((user.into(), Secret::new(password))),
            authority: Some(self.certificates.file("ca.pem")),
            proxy: None,
            will: None,
        }
    }
}

#[tokio::test]
async fn mosquitto_s_clients_are_served() {
    let world = World::new().await;
    let mut heard = world.bus.subscribe("+/request").await.unwrap();
    for version in ["mqttv311", "mqttv5"] {
        let sent = world
            .way()
            .publish(
                ONE,
                &["-V", version, "-q", "1", "-t", "one/request", "-m", version],
            )
            .await;
        assert!(sent.status.success(), "{}", said(&sent));
        assert_eq!(next(&mut heard).await, Message::new("one/request", version));
    }
    // The result is there for who comes later.
    world
        .bus
        .publish(Message::retained("one/status", "ready"))
        .await
        .unwrap();
    let read = world
        .way()
        .subscribe(ONE, &["-t", "one/status", "-q", "1", "-C", "1", "-W", "10"])
        .await;
    assert_eq!(said(&read), "ready\n");
}

/// Each for itself, so that nobody has to guess which of them it is.
#[tokio::test]
async fn what_is_in_the_way_is_told_apart() {
    let world = World::with(Certificates::of(&["pi.lan", "10.9.8.7"])).await;
    let settings = world.settings(ONE);
    let port = world.bus.tls().port();
    let said = async |settings: &Settings| {
        let error = Client::once(settings.clone()).await.err().unwrap();
        let hint = error.hint().unwrap_or_default();
        assert!(!error.is_final() || matches!(error, Error::Refused { .. }));
        format!("{error}\n{hint}")
    };
    let other_name = said(&settings).await;
    let expected = format!(
        "the certificate of mqtts://localhost:{port} is not for the name localhost, but for pi.lan, 10.9.8.7\n"
    );
    assert!(other_name.starts_with(&expected), "{other_name}");
    assert!(other_name.contains("serve --name"), "{other_name}");

    let others = Certificates::new();
    let mut wrong = settings.clone();
    wrong.authority = Some(others.file("ca.pem"));
    let other_authority = said(&wrong).await;
    let file = others.file("ca.pem");
    let expected = format!(
        "the certificate of mqtts://localhost:{port} is not signed by the authority in {}\n",
        file.display()
    );
    assert!(other_authority.starts_with(&expected), "{other_authority}");
    wrong.authority = None;
    let of_the_web = said(&wrong).await;
    assert!(
        of_the_web.contains("an authority of the web"),
        "{of_the_web}"
    );

    let closed = crate::world::free_port();
    wrong.broker = format!("mqtts://localhost:{closed}").parse().unwrap();
    let nobody = said(&wrong).await;
    let expected = format!("nobody listens at mqtts://localhost:{closed}\n");
    assert!(nobody.starts_with(&expected), "{nobody}");

    let plain = world.bus.plain().unwrap().port();
    wrong.broker = format!("mqtts://localhost:{plain}").parse().unwrap();
    let no_tls = said(&wrong).await;
    assert!(no_tls.contains("can't be reached"), "{no_tls}");
}

#[tokio::test]
async fn strangers_and_wrong_passwords_stay_outside() {
    let world = World::new().await;
    let mut heard = world.bus.subscribe("#").await.unwrap();
    let args = ["-q", "1", "-t", "one/request", "-m", "x"];
    for who in [(ONE.0, "wrong"), (ONE.0, TWO.1), ("three", ONE.1), ("", "")] {
        let sent = world.way().publish(who, &args).await;
        assert!(!sent.status.success(), "{who:?} came in");
    }
    // The gate wants TLS and one name for user and client.
    let plain = Way {
        port: world.bus.plain().unwrap().port(),
        authority: None,
    };
    assert!(!plain.publish(ONE, &args).await.status.success());
    let sent = world
        .way()
        .publish(ONE, &[&args[..], &["-i", "two"]].concat())
        .await;
    assert!(!sent.status.success());
    nothing(&mut heard).await;
    let error = Client::once(world.settings((ONE.0, "wrong")))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_topic_of_somebody_else_is_closed() {
    let world = World::new().await;
    let mut heard = world.bus.subscribe("#").await.unwrap();
    for topic in [
        "two/request",
        "one/status",
        "two/status",
        "$SYS/x",
        "bramble",
    ] {
        let args = ["-V", "mqttv311", "-q", "1", "-t", topic, "-m", "x"];
        world.way().publish(ONE, &args).await;
    }
    nothing(&mut heard).await;
    let one = Client::once(world.settings(ONE)).await.unwrap();
    let error = one
        .publish(Message::new("two/request", "x"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    for filter in [
        "two/status",
        "#",
        "+/status",
        "$share/one/one/status",
        "one/request",
    ] {
        let error = one.subscribe(filter).await.unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    world
        .bus
        .publish(Message::new("two/status", "x"))
        .await
        .unwrap();
    let mut own = one.subscribe("one/status").await.unwrap();
    nothing(&mut own).await;
}

#[tokio::test]
async fn who_is_removed_is_out_at_once() {
    let world = World::new().await;
    let mut heard = world.bus.subscribe("#").await.unwrap();
    let one = Client::once(world.settings(ONE)).await.unwrap();
    one.publish(Message::new("one/request", "1")).await.unwrap();
    assert_eq!(next(&mut heard).await.payload, b"1");
    world.users.removed.store(true, Ordering::Relaxed);
    let error = one
        .publish(Message::new("one/request", "2"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    world.bus.dismiss("one");
    let down = |link: &bramble_bus::Link| matches!(link, bramble_bus::Link::Down { .. });
    crate::world::link(&one, down).await;
    assert!(Client::once(world.settings(ONE)).await.is_err());
    nothing(&mut heard).await;
}

#[tokio::test]
async fn a_last_will_is_published_when_its_client_is_killed() {
    let world = World::new().await;
    let mut heard = world.bus.subscribe("one/request").await.unwrap();
    let will = [
        "--will-topic",
        "one/request",
        "--will-payload",
        "died",
        "--will-qos",
        "1",
    ];
    let args = [&["-t", "one/status", "-q", "1"][..], &will].concat();
    let mut child = world.way().listen(ONE, &args);
    // It listens once it has heard something.
    world
        .bus
        .publish(Message::retained("one/status", "hello"))
        .await
        .unwrap();
    let out = child.stdout.take().unwrap();
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).map(|_| line)
    });
    let line = tokio::time::timeout(LIMIT, line).await.unwrap().unwrap();
    assert_eq!(line.unwrap(), "hello\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(next(&mut heard).await.payload, b"died");
}

#[tokio::test]
async fn a_silent_stranger_keeps_nobody_out() {
    let world = World::new().await;
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(world.bus.tls()).unwrap())
        .collect();
    let one = Client::once(world.settings(ONE)).await.unwrap();
    one.publish(Message::new("one/request", "1")).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn bytes_that_are_no_mqtt_end_their_connection_alone() {
    use std::io::Write;
    let world = World::new().await;
    let one = Client::once(world.settings(ONE)).await.unwrap();
    let mut stream = TcpStream::connect(world.bus.plain().unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
        .write_all(b"\x10\xff\xff\xff\xff\xff GET / HTTP/1.1")
        .unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut rest = Vec::new();
        // Closed or reset, either way.
        let _ = stream.read_to_end(&mut rest);
    });
    tokio::time::timeout(LIMIT, read).await.unwrap().unwrap();
    one.publish(Message::new("one/request", "1")).await.unwrap();
}

#[tokio::test]
async fn what_is_in_its_way_is_named() {
    let certificates = Certificates::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = Listen {
        tls: taken.local_addr().unwrap(),
        certificate: certificates.file("broker.pem"),
        key: certificates.file("broker.key"),
        plain: None,
    };
    let open = |listen: Listen| async move {
        let gate = Arc::new(Users::default());
        Embedded::open(&listen, gate, Secret::new("x"), None)
            .await
            .err()
            .unwrap()
    };
    let error = open(listen.clone()).await;
    assert!(matches!(error, Error::Listen { .. }), "{error}");
    let key = certificates.file("ca.pem");
    let error = open(Listen {
        key: key.clone(),
        ..listen
    })
    .await;
    assert!(error.to_string().contains(key.to_str().unwrap()), "{error}");
}
