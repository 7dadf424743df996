//! The VPN, as the people see it for whom it is: with the profiles that they were given, from elsewhere.

use bramble_tests::{Done, Running, Site, wait};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// The machine outside.
const ABROAD: &str = "abroad";
/// How long a client may take to come in, or to find that it is shut out.
const LIMIT: Duration = Duration::from_secs(60);
/// What clients use; none of it starts anything by itself there.
const PACKAGES: &str = "openvpn wireguard-tools wireguard-go";

/// A line for the section `router`.
pub fn line(users: &[&str]) -> String {
    format!(
        "vpn: {{ users: [{}], wireguard: {{}}, openvpn: {{}} }}",
        users.join(", ")
    )
}

/// Everything about the VPN. The cluster is up, without one; `write` writes its file with one more line
/// in the section `router`.
pub fn people_come_in_from_elsewhere(site: &Site, write: &dyn Fn(&str)) {
    write(&line(&["anna", "ben"]));
    no_plan_shows_a_key(site);
    site.up();
    site.nothing_to_do();
    refused_before_it_is_set_up(site, write);
    let keys = keys(site);
    profiles_are_written_with_care(site);

    abroad(site);
    let anna = Client::new(site, "anna", "w", 61);
    let ben = Client::new(site, "ben", "w", 62);
    let (anna_too, ben_too) = (
        Client::new(site, "anna", "o", 63),
        Client::new(site, "ben", "o", 64),
    );
    let all = [&anna, &ben, &anna_too, &ben_too];
    for client in all {
        client.is_out();
        client.give_profile();
        client.connect();
    }
    for client in all {
        client.is_in();
    }
    the_list_tells(site, &["anna", "ben"]);
    site.nothing_to_do();
    assert_eq!(self::keys(site), keys, "no run changes keys");

    // Out of the file and out of the cluster; the other doesn't notice.
    ben.holds_a_connection();
    write(&line(&["ben"]));
    let plan = site.bramble(&["plan"]).expect(0);
    plan.says("withdraw the keys of user.anna.openvpn, user.anna.wireguard");
    site.up();
    ben.still_holds_it();
    site.nothing_to_do();
    ben.is_in();
    ben_too.is_in();
    anna.is_out();
    anna_too.is_out();
    let refused = site.bramble(&["vpn", "profile", "anna"]).expect(2);
    refused.says("there is no VPN user \"anna\"");
    a_forged_certificate_is_refused(site, &anna_too);

    // Back again: with new keys. What was lost stays lost. From here on OpenVPN is for networks that let
    // nothing but the web through.
    ben.holds_a_connection();
    let all_again = line(&["carl", "ben", "anna"]);
    write(&all_again.replace("openvpn: {}", "openvpn: { protocol: tcp, port: 443 }"));
    site.up();
    ben.still_holds_it();
    site.nothing_to_do();
    anna.reconnect();
    anna_too.reconnect();
    anna.is_out();
    anna_too.is_out();
    let differs = site.bramble(&["vpn", "profile", "anna"]).expect(2);
    differs.says("anna.conf is there already, and differs");
    for user in ["anna", "ben"] {
        site.bramble(&["vpn", "profile", user, "--force"]).expect(0);
    }
    for client in [&anna, &anna_too, &ben_too] {
        client.give_profile();
        client.reconnect();
        client.is_in();
    }
    the_list_tells(site, &["carl", "ben", "anna"]);
    addresses_are_shared_by_nobody(site);

    it_comes_back_with_the_machine(site, &[&ben, &ben_too]);
    it_goes_without_a_trace(site, write);
    for client in all {
        client.is_out();
    }
}

/// Before the router has keys, commands say what to do.
fn refused_before_it_is_set_up(site: &Site, write: &dyn Fn(&str)) {
    write(&line(&["anna", "ben", "later"]));
    let none = site.bramble(&["vpn", "profile", "later"]).expect(1);
    none.says("gate has no WireGuard keys of later yet");
    none.says("bramble up");
    write(&line(&["anna", "ben"]));
}

/// The text of no key is in what is planned; nor, later, in what the machine keeps of it.
fn no_plan_shows_a_key(site: &Site) {
    for args in [&["plan"][..], &["plan", "--output", "json"]] {
        let done = site.bramble(args).expect(0);
        for part in ["PRIVATE KEY", "Static key", "-----BEGIN"] {
            assert!(!done.said().contains(part), "{part} in {args:?}");
        }
    }
}

/// All keys on the router, with their modes; none is in its journal or log, nor in what is running.
fn keys(site: &Site) -> String {
    let program = r#"
cd /etc/bramble/keys/vpn
for f in */*.key */key.pem; do
  [ "$(stat -c '%a %U' "$f")" = '600 root' ] || echo "open: $f"
  # Compared by way of a file: an argument would be found among what is running.
  grep -v -e '^-----' "$f" | head -n 1 >/run/secret
  ! grep -rqsF -f /run/secret /var/lib/bramble /var/log || echo "kept: $f"
  ! journalctl --no-pager -o cat | grep -qF -f /run/secret || echo "logged: $f"
  ! cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -qF -f /run/secret || echo "running: $f"
done
rm /run/secret
find . -type f -exec sha256sum {} + | sort -k 2"#;
    let found = site.script("gate", program);
    assert!(!found.contains(": "), "{found}");
    assert!(found.lines().count() > 10, "{found}");
    found
}

/// Profiles are their user's alone, and no file is lost by one.
fn profiles_are_written_with_care(site: &Site) {
    let file = |name: &str| site.folder().join(name);
    std::fs::write(file("ben.ovpn"), "precious").expect("written");
    let refused = site.bramble(&["vpn", "profile", "ben"]).expect(2);
    refused.says("ben.ovpn is there already, and differs");
    assert!(!file("ben.conf").exists(), "none of two is written");
    std::fs::remove_file(file("ben.ovpn")).expect("removed");
    for user in ["anna", "ben"] {
        let done = site.bramble(&["vpn", "profile", user]).expect(0);
        assert!(!done.said().contains('█'), "a code where nobody looks");
        for form in ["conf", "ovpn"] {
            let meta = file(&format!("{user}.{form}")).metadata().expect("a file");
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{user}.{form}");
        }
    }
    let again = site.bramble(&["vpn", "profile", "ben"]).expect(0);
    again.says("has it already");
    let code = site.bramble(&["vpn", "profile", "ben", "--qr"]).expect(0);
    assert!(code.stdout.lines().count() > 30, "{}", code.stdout);
    let args = ["vpn", "profile", "ben", "--openvpn", "--print"];
    let text = site.bramble(&args).expect(0).stdout;
    let written = std::fs::read_to_string(file("ben.ovpn")).expect("a profile");
    assert_eq!(text, written);
    let args = ["vpn", "profile", "ben", "--output", "json"];
    let value = site.bramble(&args).expect(0).json();
    assert_eq!(value["profiles"][0]["protocol"], "wireguard");
    assert_eq!(value["profiles"][1]["changed"], false);
}

/// A machine outside with what clients need.
fn abroad(site: &Site) {
    site.outsider(ABROAD, 60);
    let program = format!(
        r#"set -eu
export DEBIAN_FRONTEND=noninteractive
get() {{ apt-get -q -y --no-install-recommends install {PACKAGES}; }}
get >/dev/null 2>&1 || {{ apt-get -q update >/dev/null; get >/dev/null; }}
# What wg-quick and OpenVPN tell the machine of names, for the client's own network.
cat >/usr/local/bin/resolvconf <<'END'
#!/bin/sh
[ "$1" = -a ] && exec cat >"/etc/netns/$(ip netns identify $$)/resolv.conf" || exit 0
END
cat >/root/up <<'END'
#!/bin/sh
env | sed -n 's/^foreign_option_[0-9]*=dhcp-option DNS /nameserver /p; s/^foreign_option_[0-9]*=dhcp-option DOMAIN /search /p' |
  resolvconf -a "$dev"
END
chmod 0755 /usr/local/bin/resolvconf /root/up
mkdir -p /etc/netns
"#
    );
    site.script(ABROAD, &program);
}

/// Somebody's computer elsewhere: a network namespace of the machine outside. It has no way but to the
/// router, so that nobody else can answer in the name of those behind it.
struct Client<'a> {
    site: &'a Site,
    user: &'a str,
    /// Of the namespace.
    name: String,
}

impl<'a> Client<'a> {
    /// `w` for WireGuard, `o` for OpenVPN; the last part of its address outside.
    fn new(site: &'a Site, user: &'a str, protocol: &str, last: u8) -> Self {
        let name = format!("{user}-{protocol}");
        let outside = site.outside();
        let net = outside.rsplit_once('.').expect("an address").0;
        site.script(
            ABROAD,
            &format!(
                r#"set -eu
ip netns add {name}
ip link add link host0 name mac{last} type macvlan mode bridge
ip link set mac{last} netns {name}
ip -n {name} address add {net}.{last}/24 dev mac{last}
ip -n {name} link set lo up
ip -n {name} link set mac{last} up
mkdir -p /etc/netns/{name}
: >/etc/netns/{name}/resolv.conf
"#
            ),
        );
        Self { site, user, name }
    }

    fn wireguard(&self) -> bool {
        self.name.ends_with("-w")
    }

    fn file(&self) -> String {
        let form = if self.wireguard() { "conf" } else { "ovpn" };
        format!("{}.{form}", self.user)
    }

    /// Hands over the profile that was written.
    fn give_profile(&self) {
        let path = self.site.folder().join(self.file());
        self.give(&std::fs::read_to_string(path).expect("a profile"));
    }

    fn give(&self, text: &str) {
        let file = self.file();
        let program = format!(
            "umask 077; mkdir -p /root/{0}; cat >/root/{0}/{file} <<'END'\n{text}END\n",
            self.name
        );
        self.site.script(ABROAD, &program);
    }

    fn try_run(&self, program: &str) -> Done {
        self.site
            .try_on(ABROAD, &format!("ip netns exec {} {program}", self.name))
    }

    fn connect(&self) {
        let (name, file) = (&self.name, self.file());
        let program = if self.wireguard() {
            format!("wg-quick up /root/{name}/{file} >/root/{name}/log 2>&1")
        } else {
            format!(
                "openvpn --config /root/{name}/{file} --script-security 2 --up /root/up --daemon --log /root/{name}/log --writepid /root/{name}/pid"
            )
        };
        let done = self.try_run(&program);
        assert_eq!(done.code, Some(0), "{}\n{}", done.said(), self.log());
    }

    fn disconnect(&self) {
        let name = &self.name;
        let program = if self.wireguard() {
            format!(
                "ip netns exec {name} wg-quick down /root/{name}/{} 2>/dev/null",
                self.file()
            )
        } else {
            format!(
                "p=$(cat /root/{name}/pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.1; done"
            )
        };
        self.site
            .try_on(ABROAD, &format!("timeout 20 sh -c '{program}'"));
    }

    fn reconnect(&self) {
        self.disconnect();
        self.connect();
    }

    fn log(&self) -> String {
        let path = format!("tail -n 30 /root/{}/log 2>/dev/null || :", self.name);
        self.site.on(ABROAD, &path)
    }

    /// Whether something answers to ping.
    fn reaches(&self, address: &str) -> bool {
        self.try_run(&format!("ping -c1 -W2 {address}")).code == Some(0)
    }

    /// What a web server says.
    fn page(&self, address: &str, port: u16) -> Result<String, String> {
        let get = format!(
            "exec 3<>/dev/tcp/{address}/{port}; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3"
        );
        let done = self.try_run(&format!("timeout 5 bash -c '{get}'"));
        match done.code {
            Some(0) => Ok(done.stdout),
            _ => Err(format!("{}\n{}", done.said(), self.log())),
        }
    }

    /// A node, a pod and names are within reach.
    fn is_in(&self) {
        let (site, name) = (self.site, &self.name);
        let node = site.address("one");
        wait::answer(&format!("{name} to reach {node}"), LIMIT, || {
            self.reaches(&node).then_some(()).ok_or_else(|| self.log())
        });
        assert!(self.reaches(&site.address("gate")));
        let found = self.try_run("getent hosts one").stdout;
        let full = format!("one.{}.internal", site.name());
        assert!(found.starts_with(&node) && found.contains(&full), "{found}");
        let found = self.try_run(&format!("getent hosts {node}")).stdout;
        assert!(found.contains(&full), "{found}");
        for pod in pods(site) {
            let page = wait::answer(&format!("{name} to read {pod}"), LIMIT, || {
                self.page(&pod, 8080)
            });
            assert!(page.contains("It works."), "{page}");
        }
    }

    /// Nothing behind the router is within reach, by whatever way.
    fn is_out(&self) {
        let site = self.site;
        let node = site.address("one");
        wait::until(&format!("{} is shut out", self.name), LIMIT, || {
            !self.reaches(&node)
        });
        for pod in pods(site) {
            assert!(self.page(&pod, 8080).is_err(), "{} reads {pod}", self.name);
        }
        let own = site.address("gate");
        assert!(!self.reaches(&own), "{} reaches {own}", self.name);
    }

    /// Begins a connection that lasts, and is asked later.
    fn holds_a_connection(&self) {
        let pod = pods(self.site).remove(0);
        let program = format!(
            "rm -f /root/ask; mkfifo /root/ask; ip netns exec {} bash -c 'exec 3<>/dev/tcp/{pod}/8080; echo there >/root/held; cat /root/ask >&3; timeout 10 cat <&3 >/root/held' </dev/null >/dev/null 2>&1 &",
            self.name
        );
        self.site.on(ABROAD, &program);
        wait::until("a connection", LIMIT, || {
            self.site.try_on(ABROAD, "grep -q there /root/held").code == Some(0)
        });
    }

    /// The connection is the same one as before.
    fn still_holds_it(&self) {
        let site = self.site;
        site.on(ABROAD, "printf 'GET / HTTP/1.0\\r\\n\\r\\n' >/root/ask");
        wait::until("an answer on the old connection", LIMIT, || {
            site.try_on(ABROAD, "grep -q 'It works' /root/held").code == Some(0)
        });
    }
}

/// Addresses of the demo's pods.
fn pods(site: &Site) -> Vec<String> {
    let list = site.on(
        "one",
        "kubectl --kubeconfig /etc/kubernetes/admin.conf get pods -l app.kubernetes.io/name=demo --field-selector status.phase=Running -o jsonpath='{.items[*].status.podIP}'",
    );
    let all: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    assert!(!all.is_empty(), "the demo runs");
    all
}

/// All users are there, and those who are connected have sent something.
fn the_list_tells(site: &Site, users: &[&str]) {
    let ask = || {
        site.bramble(&["vpn", "list", "--output", "json"])
            .expect(0)
            .json()
    };
    let clients = |value: &Value| value["clients"].as_array().cloned().unwrap_or_default();
    let value = wait::answer("everybody is in the list", LIMIT, || {
        let value = ask();
        let all = clients(&value);
        let known = |c: &&Value| c["user"] != "carl";
        let heard = |c: &Value| c["connected"] == true && c["received"].as_u64() > Some(100);
        match all.iter().filter(known).all(heard) {
            true => Ok(value),
            false => Err(value.to_string()),
        }
    });
    let mut rows = Vec::new();
    for client in clients(&value) {
        let word = |key: &str| client[key].as_str().unwrap_or_default().to_owned();
        rows.push(format!("{} {}", word("user"), word("protocol")));
        let net = site.outside();
        let net = net.rsplit_once('.').expect("an address").0;
        assert!(
            client["user"] == "carl" || word("from").starts_with(net),
            "{client}"
        );
    }
    let expected: Vec<String> = users
        .iter()
        .flat_map(|u| [format!("{u} wireguard"), format!("{u} openvpn")])
        .collect();
    assert_eq!(rows, expected);
    let text = site.bramble(&["vpn", "list"]).expect(0).stdout;
    assert!(
        text.contains("heard of") && text.contains("connected for"),
        "{text}"
    );
}

/// Whoever has been a user can't make somebody else's certificate out of their own.
fn a_forged_certificate_is_refused(site: &Site, anna: &Client) {
    let script = r#"set -eu
cd "$1"
# The parts of a profile that is good: ben signs for somebody called anna.
part() { sed -n "/<$2>/,/<\/$2>/p" "$1" | sed '1d;$d'; }
part ben.ovpn cert >cert; part ben.ovpn key >key
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout forged.key -out forged.csr -subj /CN=ben 2>/dev/null
printf 'extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n' >extensions
openssl x509 -req -in forged.csr -CA cert -CAkey key -CAcreateserial -extfile extensions -days 9 -out forged.pem 2>/dev/null
sed '/<cert>/,/<\/cert>/d; /<key>/,/<\/key>/d' ben.ovpn
printf '<cert>\n'; cat forged.pem cert; printf '</cert>\n<key>\n'; cat forged.key; printf '</key>\n'
"#;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh"]).arg(site.folder());
    let forged = Running::start(&mut command).finish().expect(0);
    anna.disconnect();
    anna.give(&forged.stdout);
    anna.connect();
    wait::until("the router's refusal", LIMIT, || {
        site.on("gate", "journalctl -u bramble-openvpn -o cat --no-pager")
            .contains("error=invalid CA certificate: CN=ben")
    });
    anna.is_out();
    anna.disconnect();
    anna.give_profile();
}

fn addresses_are_shared_by_nobody(site: &Site) {
    let text = site.on("gate", "cat /etc/bramble/public.vpn-addresses");
    assert_eq!(text, "carl 2\nben 3\nanna 4");
}

/// When the router's programs die, clients come back by themselves.
fn it_comes_back_with_the_machine(site: &Site, clients: &[&Client]) {
    site.on(
        "gate",
        "systemctl kill -s KILL bramble-openvpn bramble-wireguard",
    );
    for client in clients {
        client.is_in();
    }
    site.nothing_to_do();
}

/// Everything goes with the section, and the doors are shut again.
fn it_goes_without_a_trace(site: &Site, write: &dyn Fn(&str)) {
    let step = ["down", "--step", "router/vpn"];
    let asked = site.bramble(&step).expect(2);
    asked.says("the keys of all VPN users");
    site.bramble(&[&step[..], &["--yes"]].concat()).expect(0);
    let left = site.on(
        "gate",
        "ls -d /etc/bramble /usr/local/sbin/bramble-* /etc/systemd/system/bramble-wireguard* /etc/systemd/system/bramble-openvpn* /etc/systemd/system/*/bramble-*vpn* /run/bramble-openvpn /sys/class/net/wg-bramble /sys/class/net/tun-bramble 2>/dev/null || :",
    );
    assert_eq!(left, "");
    write("");
    site.up();
    site.nothing_to_do();
    let open = site.on(
        "gate",
        "nft list ruleset | grep -e wg-bramble -e tun-bramble -e 51820 -e 'dport 443' || :",
    );
    assert_eq!(open, "", "the firewall knows nothing of it any more");
}
