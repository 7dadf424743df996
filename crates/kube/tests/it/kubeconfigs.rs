//! Taking a cluster in and out of a kubeconfig.

use bramble_kube::{Error, kubeconfig};
use bramble_secret::Secret;
use serde_json::Value;

const CA: &str = "Q0EtT05F";

fn admin(server: &str, ca: &str) -> Secret {
    Secret::new(format!(
        "apiVersion: v1\nkind: Config\npreferences: {{}}\ncurrent-context: kubernetes-admin@kubernetes\n\
         clusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: {server}\n  name: kubernetes\n\
         contexts:\n- context:\n    cluster: kubernetes\n    user: kubernetes-admin\n  name: kubernetes-admin@kubernetes\n\
         users:\n- name: kubernetes-admin\n  user:\n    client-certificate-data: Q0VSVA==\n    client-key-data: {}\n",
        "S0VZ".repeat(100)
    ))
}

fn read(text: &Secret) -> Value {
    serde_saphyr::from_str(text.expose()).unwrap()
}

fn names(config: &Value, list: &str) -> Vec<String> {
    let entries = config[list].as_array().unwrap();
    entries
        .iter()
        .map(|e| e["name"].as_str().unwrap().to_owned())
        .collect()
}

const OTHER: &str = r#"
apiVersion: v1
kind: Config
preferences: {colors: true}
extensions: [{name: mine, extension: {a: 1}}]
current-context: work
clusters:
- name: work
  cluster: {server: "https://work:6443", certificate-authority: /etc/work.crt, unheard-of: [1, 2]}
contexts:
- name: work
  context: {cluster: work, user: "no", namespace: team}
users:
- name: "no"
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: login, env: null}}
"#;

#[test]
fn a_cluster_goes_in_beside_others_and_out_again() {
    let other = Secret::new(OTHER);
    let conf = admin("https://10.77.0.1:6443", CA);
    let merged = kubeconfig::merge(Some(&other), &conf, "ceil", None, false).unwrap();
    let config = read(&merged);
    assert_eq!(names(&config, "clusters"), ["work", "ceil"]);
    assert_eq!(names(&config, "contexts"), ["work", "ceil"]);
    assert_eq!(names(&config, "users"), ["no", "ceil"]);
    assert_eq!(config["current-context"], "work");
    assert_eq!(config["contexts"][1]["context"]["cluster"], "ceil");
    assert_eq!(config["contexts"][1]["context"]["user"], "ceil");
    let ours = &config["clusters"][1]["cluster"];
    assert_eq!(ours["certificate-authority-data"], CA);
    assert_eq!(ours["server"], "https://10.77.0.1:6443");
    assert_eq!(
        config["users"][1]["user"]["client-key-data"],
        "S0VZ".repeat(100)
    );
    // Keys stay on one line, and words that old YAML reads as booleans are quoted.
    assert!(merged.expose().contains(&"S0VZ".repeat(100)));
    assert!(
        !merged.expose().contains("name: no\n"),
        "{}",
        merged.expose()
    );

    // Again: the same text.
    let again = kubeconfig::merge(Some(&merged), &conf, "ceil", None, false).unwrap();
    assert_eq!(again.expose(), merged.expose());

    let out = kubeconfig::remove(&merged, "ceil").unwrap().unwrap();
    assert_eq!(read(&out), read(&other));
}

#[test]
fn the_current_context_is_set_if_there_was_none_or_if_asked() {
    let conf = admin("https://a:6443", CA);
    let fresh = kubeconfig::merge(None, &conf, "ceil", None, false).unwrap();
    assert_eq!(read(&fresh)["current-context"], "ceil");
    let blank = Secret::new("\n");
    let fresh = kubeconfig::merge(Some(&blank), &conf, "ceil", None, false).unwrap();
    assert_eq!(read(&fresh)["kind"], "Config");
    let other = Secret::new(OTHER);
    let asked = kubeconfig::merge(Some(&other), &conf, "ceil", None, true).unwrap();
    assert_eq!(read(&asked)["current-context"], "ceil");
    let out = kubeconfig::remove(&asked, "ceil").unwrap().unwrap();
    assert_eq!(read(&out)["current-context"], "");
    assert!(kubeconfig::remove(&fresh, "ceil").unwrap().is_none());
    let empty_lists =
        Secret::new("{apiVersion: v1, kind: Config, clusters: null, users: [], contexts: []}");
    let merged = kubeconfig::merge(Some(&empty_lists), &conf, "ceil", None, false).unwrap();
    assert_eq!(names(&read(&merged), "clusters"), ["ceil"]);
}

#[test]
fn another_address_keeps_the_name_that_tls_expects() {
    let conf = admin("https://10.77.0.1:6443", CA);
    let server = Some("https://gate.example.org:7443");
    let merged = kubeconfig::merge(None, &conf, "ceil", server, false).unwrap();
    let cluster = read(&merged)["clusters"][0]["cluster"].clone();
    assert_eq!(cluster["server"], "https://gate.example.org:7443");
    assert_eq!(cluster["tls-server-name"], "10.77.0.1");
    // The same host by another port needs no name.
    let server = Some("https://10.77.0.1:7443");
    let merged = kubeconfig::merge(None, &conf, "ceil", server, false).unwrap();
    let cluster = read(&merged)["clusters"][0]["cluster"].clone();
    assert!(cluster.get("tls-server-name").is_none());
}

#[test]
fn our_own_entry_is_renewed_and_keeps_the_namespace_that_was_chosen() {
    let first = kubeconfig::merge(None, &admin("https://a:6443", CA), "ceil", None, false).unwrap();
    let mut config = read(&first);
    config["contexts"][0]["context"]["namespace"] = "mine".into();
    let chosen = Secret::new(config.to_string());
    for conf in [admin("https://b:6443", CA), admin("https://a:6443", "TkVX")] {
        let merged = kubeconfig::merge(Some(&chosen), &conf, "ceil", None, false).unwrap();
        let config = read(&merged);
        assert_eq!(names(&config, "clusters"), ["ceil"]);
        assert_eq!(config["contexts"][0]["context"]["namespace"], "mine");
    }
}

#[test]
fn the_name_of_another_cluster_is_refused() {
    let other = Secret::new(OTHER);
    let conf = admin("https://10.77.0.1:6443", CA);
    let error = kubeconfig::merge(Some(&other), &conf, "work", None, false).unwrap_err();
    assert!(matches!(&error, Error::NameTaken { server, .. } if server == "https://work:6443"));
    assert!(error.hint().unwrap().contains("another name"));
    // Also where only a user has that name.
    let error = kubeconfig::merge(Some(&other), &conf, "no", None, false).unwrap_err();
    assert!(matches!(error, Error::NameTaken { .. }));
}

#[test]
fn files_that_are_no_kubeconfigs_are_refused_without_being_shown() {
    let conf = admin("https://a:6443", CA);
    for text in ["geheim", "- geheim", "clusters: geheim", "a: [geheim\nb: }"] {
        let file = Secret::new(text);
        let error = kubeconfig::merge(Some(&file), &conf, "ceil", None, false).unwrap_err();
        assert!(
            !format!("{error:?} {error}").contains("geheim"),
            "{error:?}"
        );
        assert!(kubeconfig::remove(&file, "ceil").is_err());
    }
    let lacks = Secret::new(OTHER);
    let error = kubeconfig::merge(None, &lacks, "ceil", None, false).unwrap_err();
    assert!(error.to_string().contains("embedded"), "{error}");
}
