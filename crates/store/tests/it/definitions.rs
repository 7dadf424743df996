//! The definitions of custom resources.

use crate::apiserver::{ApiServer, LONG};
use bramble_store::definitions;
use std::time::{Duration, Instant};

/// `BRAMBLE_UPDATE=1` writes the file instead.
#[test]
fn the_file_in_the_documentation_is_what_the_program_says() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/crds.yaml"
    );
    if std::env::var_os("BRAMBLE_UPDATE").is_some() {
        std::fs::write(path, definitions()).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        text == definitions(),
        "{path} is not what `bramble serve crds` says; BRAMBLE_UPDATE=1 cargo test -p bramble-store writes it",
    );
}

#[test]
fn a_server_of_release_1_20_takes_all_of_them_without_a_remark() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let all = server.says(&[
        "get",
        "crds",
        "-o",
        r#"jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="NonStructuralSchema")].message}{"\n"}{end}"#,
    ]);
    let names: Vec<&str> = all.lines().map(str::trim_end).collect();
    let wanted = [
        "buttons",
        "clusters",
        "logs",
        "machines",
        "runs",
        "templates",
    ];
    assert_eq!(names, wanted.map(|name| format!("{name}.bramble.dev")));
}

#[test]
fn kubectl_explains_the_file() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let begin = Instant::now();
    loop {
        // The server tells kubectl a moment after it knows itself.
        let told = server.kubectl(&["explain", "clusters.spec.machines.address"]);
        let text = String::from_utf8_lossy(&told.stdout);
        if text.contains("IP address that the cluster uses") {
            return;
        }
        assert!(begin.elapsed() < LONG, "{told:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
