use crate::GOOD;
use bramble_button::Protocol;
use bramble_button::signed::Key;
use bramble_button_settings::{BLOCK, parse, text};

fn key() -> Key {
    let mut bytes = [0; 32];
    for (byte, value) in bytes.iter_mut().zip(0..) {
        *byte = value;
    }
    Key::new(bytes)
}

fn fault(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_small_text_is_enough() {
    let board = parse(GOOD).unwrap();
    assert_eq!(board.button.id.as_str(), "dash01");
    assert_eq!(board.button.handler.as_str(), "bramble");
    assert_eq!(board.button.average_s, 160);
    assert_eq!(board.button.protocol, Protocol::Signed { key: key() });
    assert_eq!(board.wifi.name, " My network");
    assert_eq!(board.wifi.password.unwrap().expose(), "a password");
    assert_eq!(
        (board.broker.host.as_str(), board.broker.port),
        ("bramble.home.arpa", 8883)
    );
    assert_eq!(board.broker.user, "dash01");
    assert_eq!(board.broker.password.unwrap().expose(), "broker secret");
    assert_eq!(board.broker.authority.unwrap().der(), [0x30, 3, 2, 1, 1]);
    assert_eq!(board.time_server, "pool.ntp.org");
}

#[test]
fn everything_can_be_said() {
    let more = "average = 300\nport = 18883\nuser = someone\ntime-server = 10.0.0.1\ntls = on\n";
    let board = parse(&format!("{GOOD}{more}")).unwrap();
    assert_eq!((board.button.average_s, board.broker.port), (300, 18883));
    assert_eq!(
        (board.broker.user.as_str(), board.time_server.as_str()),
        ("someone", "10.0.0.1")
    );
}

#[test]
fn an_old_handler_is_spoken_to_without_tls() {
    let text = "id = dash01\nhandler = MyHandler\ntopic = DashButton\nwifi = x\nbroker = 10.0.0.2\ntls = off\n";
    let board = parse(text).unwrap();
    assert!(matches!(board.button.protocol, Protocol::Seed { topic } if topic == "DashButton"));
    assert_eq!(board.broker.port, 1883);
    assert_eq!((board.broker.authority, board.wifi.password), (None, None));
}

#[test]
fn without_a_password_it_follows_from_the_key() {
    let board = parse(&GOOD.replace("password = broker secret\n", "")).unwrap();
    let password = board.broker.password.unwrap();
    assert_eq!(password.expose(), key().password().expose());
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let replaced = |from: &str, to: &str| fault(&GOOD.replace(from, to));
    for (found, wanted) in [
        (replaced("handler = bramble\n", ""), "handler is missing"),
        (
            replaced("id = dash01", "id = Dash_01"),
            "line 2: id must be 1 to 40 lower-case letters, digits and hyphens",
        ),
        (
            replaced("0c0d", "0c0"),
            "line 4: key must be 64 hexadecimal digits",
        ),
        (
            replaced("090A", "09+a"),
            "line 4: key must be 64 hexadecimal digits",
        ),
        (
            replaced("= a password", "= short"),
            "line 7: wifi-password must be 8 to 63 characters",
        ),
        (
            replaced("wifi = ", "wlan = "),
            "line 6: there is no such setting",
        ),
        (
            replaced("wifi = ", "wifi "),
            "line 6: this is no `name = value`",
        ),
        (
            replaced("\" My network\"", &"x".repeat(33)),
            "line 6: wifi must be the name of a network, 1 to 32 bytes",
        ),
        (replaced("MAMC", "MAM*"), "line 11: this is no certificate"),
        (replaced("MAMC", "AAAA"), "line 13: this is no certificate"),
        (replaced("AQE=", "=AQE"), "line 12: this is no certificate"),
        (
            replaced("-----END CERTIFICATE-----\n", ""),
            "line 12: this is no certificate",
        ),
        (
            replaced("bramble.home.arpa", "10.0.0.1"),
            "line 8: with TLS, broker must be the name",
        ),
        (
            replaced("bramble.home.arpa", "a b"),
            "line 8: broker must be a host's name",
        ),
        (
            fault(&format!("{GOOD}port = 0\n")),
            "line 14: port must be a port from 1 to 65535",
        ),
        (
            fault(&format!("{GOOD}average = 3601\n")),
            "line 14: average must be seconds from 1 to 3600",
        ),
        (
            fault(&format!("{GOOD}tls = maybe\n")),
            "line 14: tls must be on or off",
        ),
        (
            fault(&format!("{GOOD}topic = x\n")),
            "line 14: topic is for version 1 of the protocol",
        ),
        (
            fault(&format!("{GOOD}id = other\n")),
            "line 14: id is there twice",
        ),
        (
            fault(&format!("{GOOD}{}", &GOOD[GOOD.find("-----B").unwrap()..])),
            "line 17: the certificate is there twice",
        ),
        (
            fault(&"#".repeat(BLOCK + 1)),
            "the settings are longer than 4096 bytes",
        ),
        (fault(""), "id is missing"),
    ] {
        assert!(found.starts_with(wanted), "{found} / {wanted}");
    }
    let end = GOOD.find("-----B").unwrap();
    assert!(
        fault(&GOOD[..end])
            .starts_with("the certificate of the broker's authority (or tls = off) is missing")
    );
}

#[test]
fn secrets_are_not_shown() {
    let board = parse(GOOD).unwrap();
    let shown = format!(
        "{board} {board:?} {}",
        fault(&GOOD.replace("a password", "short"))
    );
    for secret in ["a password", "broker secret", "0001020304", "short"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("button dash01") && shown.contains("TLS"));
}

#[test]
fn a_block_holds_a_text_to_its_end() {
    let mut block = [0xff; BLOCK];
    assert_eq!(text(&block), None);
    block[..3].copy_from_slice(b"a=b");
    assert_eq!(text(&block), Some("a=b"));
    block[1] = 0xfe;
    assert_eq!(text(&block), None, "no text");
    assert_eq!(text(b"a = b\0 old"), Some("a = b"));
    assert_eq!(text(b"a"), Some("a"));
    assert_eq!(text(b" \n\xff"), None);
}
