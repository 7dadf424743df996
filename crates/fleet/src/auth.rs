//! Authentication: given keys with their certificates, then the agent, then the user's own keys.
//!
//! The way that worked last for a user is tried first, so that a fleet whose machines all take the third
//! key of an agent doesn't pay for two refusals on each of them.

use crate::known_hosts::fingerprint;
use crate::watcher::Watcher;
use crate::{Options, Target};
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// sshd ends the connection after this many refusals (its default `MaxAuthTries`).
const TRIES: usize = 6;
/// An agent works one request at a time; more connections only wait in its queue.
const AGENT_CONNECTIONS: usize = 8;

/// What is remembered between connections of one fleet.
pub(crate) struct Memory {
    files: Mutex<HashMap<PathBuf, Result<Arc<KeyFile>, String>>>,
    worked: Mutex<HashMap<String, Way>>,
    agents: Semaphore,
}

struct KeyFile {
    key: Arc<PrivateKey>,
    certificate: Option<Certificate>,
}

#[derive(Clone, PartialEq)]
enum Way {
    File(PathBuf),
    /// The fingerprint of a key that the agent holds.
    Agent(String),
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            files: Mutex::default(),
            worked: Mutex::default(),
            agents: Semaphore::new(AGENT_CONNECTIONS),
        }
    }
}

impl Memory {
    /// The key of a file and the certificate beside it, read once.
    fn key_file(&self, path: &Path) -> Result<Arc<KeyFile>, String> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let read = read_key_file(path).map(Arc::new);
        files.insert(path.to_owned(), read.clone());
        read
    }
}

fn read_key_file(path: &Path) -> Result<KeyFile, String> {
    let key = russh::keys::load_secret_key(path, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => format!(
            "key {0}: has a passphrase; add it to the agent with `ssh-add {0}`",
            path.display()
        ),
        error => format!("key {}: {error}", path.display()),
    })?;
    let mut beside = path.as_os_str().to_owned();
    beside.push("-cert.pub");
    let beside = PathBuf::from(beside);
    let certificate = match beside.exists() {
        true => Some(
            russh::keys::load_openssh_certificate(&beside)
                .map_err(|error| format!("certificate {}: {error}", beside.display()))?,
        ),
        false => None,
    };
    Ok(KeyFile {
        key: Arc::new(key),
        certificate,
    })
}

/// Why no way led in.
pub(crate) struct Failed {
    /// Each way that was tried, and what came of it.
    pub tried: Vec<String>,
}

/// One authentication on one connection.
pub(crate) struct Attempt<'a> {
    handle: &'a mut Handle<Watcher>,
    target: &'a Target,
    options: &'a Options,
    memory: &'a Memory,
    tried: Vec<String>,
    refusals: usize,
    done: Vec<Way>,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        handle: &'a mut Handle<Watcher>,
        target: &'a Target,
        options: &'a Options,
        memory: &'a Memory,
    ) -> Self {
        Self {
            handle,
            target,
            options,
            memory,
            tried: Vec::new(),
            refusals: 0,
            done: Vec::new(),
        }
    }

    /// Tries all ways in order. Not bounded here: the caller does.
    pub(crate) async fn run(mut self) -> Result<(), Failed> {
        match self.all().await {
            true => Ok(()),
            false => Err(Failed { tried: self.tried }),
        }
    }

    async fn all(&mut self) -> bool {
        let target = self.target;
        let options = self.options;
        let defaults: &[PathBuf] = match target.keys.is_empty() {
            true => &options.default_keys,
            false => &[],
        };
        let remembered = {
            let worked = self.memory.worked.lock();
            worked
                .unwrap_or_else(PoisonError::into_inner)
                .get(&target.user)
                .cloned()
        };
        let first = match &remembered {
            Some(Way::File(path)) if target.keys.contains(path) || defaults.contains(path) => {
                self.file(path).await
            }
            Some(Way::Agent(wanted)) => self.agent(Some(wanted)).await,
            _ => false,
        };
        if first {
            return true;
        }
        for path in &target.keys {
            if self.file(path).await {
                return true;
            }
        }
        if self.agent(None).await {
            return true;
        }
        for path in defaults {
            if path.exists() && self.file(path).await {
                return true;
            }
        }
        false
    }

    /// Whether there is any sense in going on.
    fn may_try(&mut self) -> bool {
        if self.handle.is_closed() {
            return false;
        }
        if self.refusals >= TRIES {
            let note =
                "further keys were not tried: sshd allows 6 tries on a connection".to_owned();
            if !self.tried.contains(&note) {
                self.tried.push(note);
            }
            return false;
        }
        true
    }

    fn begin(&mut self, way: &Way) -> bool {
        if self.done.contains(way) {
            return false;
        }
        self.done.push(way.clone());
        true
    }

    /// Takes down what came of one try.
    fn outcome<E: std::fmt::Display>(
        &mut self,
        what: String,
        way: &Way,
        result: Result<AuthResult, E>,
    ) -> bool {
        match result {
            Ok(AuthResult::Success) => {
                let worked = self.memory.worked.lock();
                worked
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(self.target.user.clone(), way.clone());
                return true;
            }
            Ok(AuthResult::Failure {
                partial_success: true,
                remaining_methods,
            }) => self.tried.push(format!(
                "{what}: accepted, but the machine also wants {remaining_methods:?}"
            )),
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => self
                .tried
                .push(format!("{what}: the machine ended the connection")),
            Ok(AuthResult::Failure { .. }) => self.tried.push(format!("{what}: refused")),
            Err(error) => self.tried.push(format!("{what}: {error}")),
        }
        self.refusals += 1;
        false
    }

    async fn file(&mut self, path: &Path) -> bool {
        let way = Way::File(path.to_owned());
        if !self.begin(&way) || !self.may_try() {
            return false;
        }
        let file = match self.memory.key_file(path) {
            Ok(file) => file,
            Err(error) => {
                self.tried.push(error);
                return false;
            }
        };
        let user = self.target.user.clone();
        if let Some(certificate) = &file.certificate {
            let result = self
                .handle
                .authenticate_openssh_cert(&user, file.key.clone(), certificate.clone())
                .await;
            if self.outcome(format!("certificate of {}", path.display()), &way, result) {
                return true;
            }
            if !self.may_try() {
                return false;
            }
        }
        let hash = self.rsa_hash(file.key.algorithm().is_rsa()).await;
        let key = PrivateKeyWithHashAlg::new(file.key.clone(), hash);
        let result = self.handle.authenticate_publickey(&user, key).await;
        self.outcome(format!("key {}", path.display()), &way, result)
    }

    /// The hash to sign with, for RSA keys: SHA-1 signatures (`None`) are not accepted any more.
    async fn rsa_hash(&mut self, rsa: bool) -> Option<HashAlg> {
        if !rsa {
            return None;
        }
        match self.handle.best_supported_rsa_hash().await {
            Ok(Some(hash)) => hash,
            _ => Some(HashAlg::Sha512),
        }
    }

    /// Tries the agent's keys, or the one with the wanted fingerprint.
    async fn agent(&mut self, wanted: Option<&str>) -> bool {
        let Some(socket) = self.options.agent.clone() else {
            return false;
        };
        if !self.may_try() {
            return false;
        }
        // Never closed, so the only error can't happen.
        let memory = self.memory;
        let _turn = memory.agents.acquire().await;
        let mut agent = match AgentClient::connect_uds(&socket).await {
            Ok(agent) => agent,
            Err(error) => {
                self.note(format!("agent at {}: {error}", socket.display()));
                return false;
            }
        };
        if let Some(binding) = self.handle.agent_session_binding() {
            // For keys that the agent allows for certain machines only. Agents that don't know such
            // keys refuse the request, which changes nothing.
            let _ = agent.bind_session(binding, false).await;
        }
        let identities = match agent.request_identities().await {
            Ok(identities) => identities,
            Err(error) => {
                self.note(format!("agent at {}: {error}", socket.display()));
                return false;
            }
        };
        if identities.is_empty() {
            self.note("agent: holds no keys".to_owned());
        }
        for identity in identities {
            let print = fingerprint(&identity.public_key());
            let kind = match identity {
                AgentIdentity::Certificate { .. } => "certificate",
                AgentIdentity::PublicKey { .. } => "key",
            };
            let way = Way::Agent(format!("{kind} {print}"));
            if wanted.is_some_and(|wanted| way != Way::Agent(wanted.to_owned())) {
                continue;
            }
            if !self.begin(&way) {
                continue;
            }
            if !self.may_try() {
                return false;
            }
            let rsa = identity.public_key().algorithm().is_rsa();
            let hash = self.rsa_hash(rsa).await;
            let what = format!("agent's {kind} {} {print}", identity.comment());
            let user = self.target.user.clone();
            let result = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    self.handle
                        .authenticate_publickey_with(user, key, hash, &mut agent)
                        .await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    self.handle
                        .authenticate_certificate_with(user, certificate, hash, &mut agent)
                        .await
                }
            };
            if self.outcome(what, &way, result) {
                return true;
            }
        }
        false
    }

    fn note(&mut self, text: String) {
        if !self.tried.contains(&text) {
            self.tried.push(text);
        }
    }
}
