//! Things that run on the cluster: the demo page, and manifests of the operator's own.

use super::nodes;
use crate::context::Inputs;
use bramble_bundle::Index;
use bramble_machine::api::ApiResource;
use bramble_machine::step::ApiStep;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Arch, Machine};
use serde_json::json;

/// What serves the demo page.
struct Image<'a> {
    reference: &'a str,
    /// What its containers run; `None`: it knows by itself.
    command: Option<[String; 3]>,
}

/// The image of the bundle that can serve the page: one that was made for it, or any busybox.
fn image(bundle: &Index) -> Option<Image<'_>> {
    let find = |name| {
        let all = [Arch::Amd64, Arch::Arm64].into_iter();
        all.filter_map(|arch| bundle.image(name, arch)).next()
    };
    if let Some(image) = find("demo") {
        return Some(Image {
            reference: &image.reference,
            command: None,
        });
    }
    let image = find("busybox")?;
    Some(Image {
        reference: &image.reference,
        command: Some(["/bin/sh".into(), "-ec".into(), server("/tmp/www", 8080)]),
    })
}

/// The program that serves the page with the tools of busybox.
fn server(folder: &str, port: u16) -> String {
    let page = bramble_bundle::DEMO_PAGE;
    format!(
        "mkdir -p {folder}/cgi-bin\ncat > {folder}/cgi-bin/index.cgi <<'THE_PAGE'\n{page}THE_PAGE\n\
         chmod 0755 {folder}/cgi-bin/index.cgi\nexec httpd -f -p {port} -h {folder}\n"
    )
}

/// Nodes that take the page's pods: those without taints of the operator's own.
fn places(cluster: &Cluster) -> usize {
    let open = |m: &&Machine| m.is_node() && m.taints.as_ref().is_none_or(Vec::is_empty);
    cluster.machines.iter().filter(open).count()
}

/// Three replicas (or one a node, if there are fewer) on different machines, control planes included.
///
/// # Errors
/// Why there can be none.
pub(super) fn step(inputs: Inputs, node_port: u16) -> Result<ApiStep, String> {
    let nodes = places(inputs.cluster);
    if nodes == 0 {
        return Err("the demo page is left out: every node has taints".into());
    }
    // Without a bundle nothing is made, only taken away.
    let image = match inputs.bundle {
        None => Image {
            reference: "",
            command: None,
        },
        Some(bundle) => image(bundle).ok_or(
            "the demo page is left out: the bundle holds no image for it (bramble bundle build brings one)",
        )?,
    };
    let labels = json!({ "app.kubernetes.io/name": "demo" });
    let toleration = |key: &str| json!({ "key": format!("node-role.kubernetes.io/{key}"), "operator": "Exists", "effect": "NoSchedule" });
    let mut deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "demo", "namespace": "default", "labels": labels },
        "spec": {
            "replicas": nodes.min(3),
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "affinity": { "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{
                            "labelSelector": { "matchLabels": labels },
                            "topologyKey": "kubernetes.io/hostname",
                        }],
                    }},
                    "tolerations": [toleration("master"), toleration("control-plane")],
                    "terminationGracePeriodSeconds": 6,
                    "containers": [{
                        "name": "web",
                        "image": image.reference,
                        "imagePullPolicy": "IfNotPresent",
                        "env": [{
                            "name": "NODE_NAME",
                            "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } },
                        }],
                        "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
                        // Until every node has taken it out of the service requests still come.
                        "lifecycle": { "preStop": { "exec": { "command": ["sleep", "3"] } } },
                        "readinessProbe": { "httpGet": { "path": "/", "port": "http" }, "periodSeconds": 1 },
                    }],
                },
            },
        },
    });
    if let Some(command) = image.command {
        deployment["spec"]["template"]["spec"]["containers"][0]["command"] = json!(command);
    }
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "demo", "namespace": "default", "labels": labels },
        "spec": {
            "type": "NodePort",
            "selector": labels,
            "ports": [{ "name": "http", "port": 80, "targetPort": "http", "nodePort": node_port, "protocol": "TCP" }],
        },
    });
    Ok(ApiStep {
        name: "addon/demo".into(),
        needs: vec![(String::new(), nodes::NAME.to_owned())],
        resources: vec![
            ApiResource::Object {
                manifest: service,
                wait: false,
            },
            ApiResource::Object {
                manifest: deployment,
                wait: true,
            },
        ],
    })
}

/// Manifests from a file or folder. Whoever read the folder has refused what can't be read
/// ([`documents`]), so nothing is lost here.
pub(super) fn manifests(inputs: Inputs, name: &str, path: &str) -> ApiStep {
    let files = inputs.assets.get(path).into_iter().flatten();
    let resources = files
        .flat_map(|(file, bytes)| documents(file, bytes).unwrap_or_default())
        .map(|manifest| ApiResource::Object {
            manifest,
            wait: true,
        })
        .collect();
    ApiStep {
        name: format!("addon/{name}"),
        needs: vec![(String::new(), nodes::NAME.to_owned())],
        resources,
    }
}

/// The objects in a file of manifests: all documents of a `.yaml`, `.yml` or `.json` file, none of any
/// other.
///
/// # Errors
/// What is wrong with the file: no text, no YAML, or a document that is no object of Kubernetes.
pub fn documents(file: &str, bytes: &[u8]) -> Result<Vec<serde_json::Value>, String> {
    if ![".yaml", ".yml", ".json"]
        .iter()
        .any(|end| file.ends_with(end))
    {
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())?;
    let all = serde_saphyr::from_multiple::<serde_json::Value>(text)
        .map_err(|error| format!("is no YAML: {error}"))?;
    let mut out = Vec::new();
    for (index, value) in all.into_iter().enumerate().filter(|(_, v)| !v.is_null()) {
        for field in ["/apiVersion", "/kind", "/metadata/name"] {
            if !value
                .pointer(field)
                .is_some_and(serde_json::Value::is_string)
            {
                let field = field.trim_start_matches('/').replace('/', ".");
                return Err(format!(
                    "has a document (number {}) without {field}",
                    index + 1
                ));
            }
        }
        out.push(value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    fn get(port: u16) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn any_busybox_serves_the_page() {
        let busybox = std::path::Path::new("/bin/busybox");
        if !busybox.exists() {
            eprintln!("skipped: /bin/busybox absent (Debian: busybox-static)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let www = folder.path().join("www");
        let mut server = Command::new(busybox)
            .args([
                "sh",
                "-ec",
                &super::server(&www.display().to_string(), port),
            ])
            .stdin(Stdio::null())
            .spawn()
            .expect("busybox");
        let end = Instant::now() + Duration::from_secs(20);
        let page = loop {
            match get(port) {
                Ok(page) => break page,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
        };
        let _ = server.kill();
        let _ = server.wait();
        assert!(page.contains("<code id=\"pod\">"), "{page}");
    }
}
