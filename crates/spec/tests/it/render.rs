//! How problems look, and the list of what goes around a proxy.

use crate::examples;
use bramble_spec::load;

const TEXT: &str = "\
apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata:
  name: lab
spec:
  machines:
    - name: one
      roles: [control-plane]
      address: 10.77.0.11
    - name: two
      adress: 10.77.0.12
      address: 10.77.0.11
";

#[test]
fn problems_look_like_those_of_a_compiler() {
    assert_eq!(
        load("home/bramble.yaml", TEXT).unwrap_err().render(false),
        "\
error[unknown-key]: unknown key `adress` in `machines[1]`
  --> home/bramble.yaml:11:7
   |
11 |       adress: 10.77.0.12
   |       ^^^^^^
   |
help: `address` stands in this section already: remove this one

error[duplicate-address]: the address `10.77.0.11` is given twice
  --> home/bramble.yaml:12:16
   |
 9 |       address: 10.77.0.11
   |                ---------- first here
...
12 |       address: 10.77.0.11
   |                ^^^^^^^^^^
   |
help: each machine needs an address of its own

error: home/bramble.yaml has 2 problems
"
    );
}

#[test]
fn color_adds_nothing_but_color() {
    let problems = load("f", TEXT).unwrap_err();
    let colored = problems.render(true);
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, problems.render(false));
    assert_eq!(problems.to_string(), problems.render(false));
}

#[test]
fn problems_are_json_for_other_programs() {
    let problems = load("f", TEXT).unwrap_err();
    assert_eq!(
        serde_json::to_value(&problems).unwrap()["problems"][1],
        serde_json::json!({
            "code": "duplicate-address",
            "line": 12, "column": 16, "length": 10,
            "message": "the address `10.77.0.11` is given twice",
            "hint": "each machine needs an address of its own",
            "related": [{"line": 9, "column": 16, "length": 10, "note": "first here"}],
        })
    );
}

#[test]
fn a_password_in_the_file_is_not_shown() {
    let text = TEXT.to_owned() + "  proxy: {http: \"http://anna:hunter2@proxy:3128\"}\n";
    let problems = load("f", &text).unwrap_err();
    assert!(!problems.render(false).contains("hunter2"));
    assert!(
        !serde_json::to_string(&problems)
            .unwrap()
            .contains("hunter2")
    );
}

#[test]
fn the_cluster_is_reached_around_the_proxy() {
    let cluster = load("f", &examples::text("full")).unwrap();
    assert_eq!(
        cluster.no_proxy().join(","),
        "localhost,127.0.0.1,::1,gate,10.77.0.1,192.168.1.100,one,10.77.0.11,one.office.example,two,10.77.0.12,\
three,10.77.0.13,four,10.77.0.101,five,10.77.0.15,10.77.0.0/24,10.244.0.0/16,10.96.0.0/16,\
.ceil.internal,.svc,.cluster.local,10.77.0.10,10.96.0.1,.example.org,172.16.0.0/12"
    );
}

#[test]
fn windows_line_ends_and_byte_order_mark_are_fine() {
    let text = format!(
        "\u{feff}{}",
        examples::text("minimal").replace('\n', "\r\n")
    );
    assert!(
        load("f", &text).is_ok(),
        "{}",
        load("f", &text).unwrap_err()
    );
}
