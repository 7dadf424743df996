//! Machines that reach nothing but a proxy.

use bramble_tests::{Site, until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Only the machines' own network, and of this computer only the proxy, is left to them.
const CLOSED: &str = "nft 'table inet closed {
	chain output {
		type filter hook output priority 0; policy drop;
		oifname lo accept
		ct state established accept
		ip daddr @GATEWAY@ tcp dport @PORT@ accept
		ip daddr @GATEWAY@ drop
		ip daddr { 10.78.18.0/24, 10.244.0.0/16, 10.96.0.0/12, 224.0.0.0/4 } accept
		meta l4proto icmpv6 accept
	}
}'";

#[test]
fn a_cluster_comes_up_behind_a_proxy() {
    let dump = Command::new("apt-config").arg("dump").output();
    let dump = dump.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    if dump.is_ok_and(|text| text.contains("::Proxy \"http")) {
        eprintln!("skipped: this computer itself is behind a proxy, which the machines would use");
        return;
    }
    let site = Site::new("t-proxy", 18, &["one", "two"]);
    site.write("");
    site.lab_up();
    let proxy = Proxy::start(&site.gateway());
    for machine in site.machines() {
        let rules = CLOSED
            .replace("@GATEWAY@", &site.gateway())
            .replace("@PORT@", &proxy.port.to_string());
        site.on(&machine, &rules);
    }
    site.bramble(&["up", "--step", "base"])
        .expect(1)
        .says("no answer from")
        .says("a proxy (proxy.http)");

    let address = format!("http://{}:{}", site.gateway(), proxy.port);
    site.write(&format!("proxy: {{ http: '{address}' }}\naddons: [demo]\n"));
    site.up();
    site.demo_answers();
    site.nothing_to_do();
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "packages came through the proxy");
    let inside = |host: &&String| {
        ["10.78.18.", "10.244.", "10.96."]
            .iter()
            .any(|r| host.starts_with(r))
    };
    assert_eq!(
        asked.iter().find(inside),
        None,
        "nodes and pods reach each other directly"
    );
    let kubernetes = bramble_tests::kubectl::Kubectl::new(&site);
    until("both are ready", Duration::from_secs(60), || {
        kubernetes.ready().len() == 2
    });
}

/// A forward proxy (RFC 9110, 7.7 and 9.3.6): one request a connection.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Ends with the test's process.
    fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || {
                    // A client that goes away in between is its own affair.
                    let _ = serve(client, &log);
                });
            }
        });
        Self { port, asked }
    }

    /// The hosts that were asked for.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }
}

fn serve(client: TcpStream, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let name = line.to_ascii_lowercase();
        if !name.starts_with("connection:") && !name.starts_with("proxy-connection:") {
            headers.push_str(&line);
        }
    }
    let words: Vec<&str> = first.split_whitespace().collect();
    let &[method, target, version] = words.as_slice() else {
        return Ok(());
    };
    let tunnel = method == "CONNECT";
    let rest = target.strip_prefix("http://").unwrap_or(target);
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    log.lock().expect("the list").push(host.to_owned());
    let place = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut server = TcpStream::connect(place)?;
    let mut answers = client.try_clone()?;
    if tunnel {
        answers.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    } else {
        write!(
            server,
            "{method} {path} {version}\r\n{headers}Connection: close\r\n\r\n"
        )?;
    }
    let mut to = server.try_clone()?;
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let mut from = server.take(u64::MAX);
    std::io::copy(&mut from, &mut answers)?;
    client.shutdown(std::net::Shutdown::Both)?;
    let _ = up.join();
    Ok(())
}
