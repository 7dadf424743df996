//! What can be asked of a platform.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::file::Version;
use crate::http::{Answer, Ask, Http};
use crate::pace::Pace;
use crate::template::Order;
use crate::wire;
use bramble_secret::Secret;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

/// How a platform is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// `https://...`, without a slash at its end.
    pub url: String,
    /// The version of its API.
    pub version: Version,
    /// Who logs in.
    pub username: String,
    /// Their password.
    pub password: Secret,
    /// Certificates in PEM form that the platform's own may come from; `None` for those that this computer trusts.
    pub authorities: Option<String>,
}

/// A platform.
pub struct Client {
    pub(crate) http: Http,
    pub(crate) pace: Pace,
}

/// What became of an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    /// It is accepted, or done.
    Accepted,
    /// There is a cluster of this name.
    NameTaken,
}

impl Client {
    /// A client; connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn new(access: Access, pace: Pace) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(access)?,
            pace,
        })
    }

    /// Logs in. Everything else does so by itself where it has to.
    ///
    /// # Errors
    /// [`Error::Login`], [`Error::Unreachable`].
    pub async fn login(&self) -> Result<(), Error> {
        self.http.login(self.pace.request).await
    }

    /// All clusters, in the platform's order.
    ///
    /// # Errors
    /// When the platform can't be asked, or doesn't answer as it should.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, Error> {
        let what = "list the clusters";
        let path = match self.http.version() {
            Version::V2 => "/2/clusters",
            Version::V3 => "/v3/clusters/",
        };
        let answer = self.get(what, path).await?;
        if !answer.status.is_success() {
            return Err(self.http.refused(what, &answer));
        }
        Ok(match self.http.version() {
            Version::V2 => all(self.http.json::<Vec<wire::V2>>(what, &answer)?),
            Version::V3 => all(self.http.json::<Vec<wire::V3>>(what, &answer)?),
        })
    }

    /// The cluster of a name, a DNS label.
    ///
    /// # Errors
    /// As [`Client::clusters`].
    pub async fn find(&self, name: &str) -> Result<Option<Cluster>, Error> {
        match self.http.version() {
            Version::V2 => {
                let what = "look for the cluster";
                let answer = self.get(what, &format!("/2/clusters/{name}")).await?;
                if answer.status == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                if !answer.status.is_success() {
                    return Err(self.http.refused(what, &answer));
                }
                Ok(Some(self.http.json::<wire::V2>(what, &answer)?.into()))
            }
            // Version 3 knows clusters by their ids alone.
            Version::V3 => {
                let all = self.clusters().await?;
                Ok(all.into_iter().find(|cluster| cluster.name == name))
            }
        }
    }

    /// The kubeconfig of a cluster.
    ///
    /// # Errors
    /// As [`Client::clusters`].
    pub async fn kubeconfig(&self, cluster: &Cluster) -> Result<Secret, Error> {
        #[derive(Deserialize)]
        struct Holder {
            kubeconfig: String,
        }
        let what = "get the kubeconfig";
        let id = path_part(&cluster.id);
        let path = match self.http.version() {
            Version::V2 => format!("/2/clusters/{id}/env"),
            Version::V3 => format!("/v3/clusters/{id}"),
        };
        let answer = self.get(what, &path).await?;
        if !answer.status.is_success() {
            return Err(self.http.refused(what, &answer));
        }
        match self.http.version() {
            Version::V2 => self.http.secret(what, answer),
            Version::V3 => {
                let holder = self.http.json::<Holder>(what, &answer)?;
                Ok(Secret::new(holder.kubeconfig))
            }
        }
    }

    /// Orders a cluster. Version 2 answers when the cluster is there.
    pub(crate) async fn order(&self, order: &Order) -> Result<Ordered, Error> {
        let what = "make the cluster";
        let path = match self.http.version() {
            Version::V2 => "/2/clusters",
            Version::V3 => "/v3/clusters/",
        };
        let ask = Ask {
            what,
            method: Method::POST,
            path,
            body: Some(&order.body),
            limit: self.pace.create,
        };
        let answer = self.http.ask(&ask).await?;
        match answer.status {
            StatusCode::CONFLICT => Ok(Ordered::NameTaken),
            status if status.is_success() => Ok(Ordered::Accepted),
            _ => Err(self.http.refused(what, &answer)),
        }
    }

    /// Orders that a cluster goes.
    pub(crate) async fn delete(&self, id: &str) -> Result<(), Error> {
        let what = "delete the cluster";
        let id = path_part(id);
        let path = match self.http.version() {
            Version::V2 => format!("/2/clusters/{id}"),
            Version::V3 => format!("/v3/clusters/{id}"),
        };
        let ask = Ask {
            what,
            method: Method::DELETE,
            path: &path,
            body: None,
            limit: self.pace.delete,
        };
        let answer = self.http.ask(&ask).await?;
        let gone = answer.status == StatusCode::NOT_FOUND;
        match gone || answer.status.is_success() {
            true => Ok(()),
            false => Err(self.http.refused(what, &answer)),
        }
    }

    async fn get(&self, what: &'static str, path: &str) -> Result<Answer, Error> {
        let ask = Ask {
            what,
            method: Method::GET,
            path,
            body: None,
            limit: self.pace.request,
        };
        self.http.ask(&ask).await
    }
}

fn all<T: Into<Cluster>>(found: Vec<T>) -> Vec<Cluster> {
    found.into_iter().map(Into::into).collect()
}

/// An id as a part of a path: the platform's are UUIDs; anything else must not lead elsewhere.
fn path_part(id: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    id.chars().filter(plain).collect()
}
