//! From the text of an admin's kubeconfig to a connection.

use crate::{Error, kubeconfig};
use base64::Engine;
use bramble_secret::Secret;
use kube::{Client, Config};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a TCP connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);

/// A client and the name of the server for messages.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) server: String,
}

/// Makes the client; opens no connection yet.
pub(crate) fn client(text: &Secret, via: Option<SocketAddr>) -> Result<Connection, Error> {
    let parts = kubeconfig::current(text)?;
    let server = field(&parts.cluster, "server")
        .ok_or_else(|| bad("the cluster has no `server`"))?
        .to_owned();
    if parts.cluster.get("insecure-skip-tls-verify") == Some(&Value::Bool(true)) {
        return Err(bad("`insecure-skip-tls-verify` is set"));
    }
    let mut url: http::Uri = server
        .parse()
        .map_err(|_| bad(format!("`server` is no URL: {server}")))?;
    if url.scheme_str() != Some("https") {
        return Err(bad(format!("`server` is not https: {server}")));
    }
    let host = url
        .host()
        .ok_or_else(|| bad(format!("`server` names no host: {server}")))?
        .trim_matches(['[', ']'])
        .to_owned();
    let name = field(&parts.cluster, "tls-server-name").map_or(host, str::to_owned);
    let mut shown = server;
    if let Some(via) = via {
        shown = format!("{shown} through {via}");
        let path = url.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        url = format!("https://{via}{path}")
            .parse()
            .map_err(|_| bad("`server` has an unusable path"))?;
    }

    let ca = decoded(&parts.cluster, "certificate-authority-data")?
        .ok_or_else(|| bad("the cluster has no `certificate-authority-data`"))?;
    let ca = pem_blocks(&ca);
    if ca.is_empty() {
        return Err(bad("`certificate-authority-data` holds no certificate"));
    }

    let mut config = Config::new(url);
    config.root_cert = Some(ca);
    config.tls_server_name = Some(name);
    config.connect_timeout = Some(CONNECT);
    // It would hide "try again later" of a drain for minutes; who calls decides.
    config.default_retry = false;
    config.auth_info.client_certificate_data =
        field(&parts.user, "client-certificate-data").map(str::to_owned);
    config.auth_info.client_key_data =
        field(&parts.user, "client-key-data").map(|key| key.to_owned().into());
    config.auth_info.token = field(&parts.user, "token").map(|token| token.to_owned().into());
    let certificate = config.auth_info.client_certificate_data.is_some()
        && config.auth_info.client_key_data.is_some();
    if !certificate && config.auth_info.token.is_none() {
        return Err(bad(
            "the user has neither a token nor an embedded certificate with its key",
        ));
    }
    let client = Client::try_from(config).map_err(|source| Error::Unreachable {
        server: shown.clone(),
        source: Box::new(source),
    })?;
    Ok(Connection {
        client,
        server: shown,
    })
}

fn field<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn decoded(of: &Value, name: &str) -> Result<Option<Vec<u8>>, Error> {
    field(of, name)
        .map(|text| {
            base64::engine::general_purpose::STANDARD
                .decode(text.trim())
                .map_err(|_| bad(format!("`{name}` is not base64")))
        })
        .transpose()
}

/// Every certificate of a PEM text, in DER.
fn pem_blocks(pem: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(pem);
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .filter_map(|rest| rest.split("-----END CERTIFICATE-----").next())
        .filter_map(|body| {
            let body: String = body.split_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(body).ok()
        })
        .collect()
}

fn bad(what: impl Into<String>) -> Error {
    Error::Kubeconfig {
        what: what.into(),
        hint: "use the file that kubeadm writes: /etc/kubernetes/admin.conf".into(),
    }
}
