//! What russh calls back: is this the machine's host key, and why did the connection end.

use crate::error::ChangedKey;
use crate::known_hosts::{self, Known, Verdict};
use crate::{Error, Options, Target};
use russh::client::{self, DisconnectReason};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Judges the host key, notes why the connection ended. Clones share what they note.
#[derive(Clone)]
pub(crate) struct Watcher {
    pub(crate) target: Arc<Target>,
    pub(crate) options: Arc<Options>,
    pub(crate) known: Arc<Known>,
    pub(crate) refused: Arc<Mutex<Option<Error>>>,
    pub(crate) ended: Arc<OnceLock<String>>,
}

impl Watcher {
    fn judge(&self, key: &PublicKey) -> Result<(), Error> {
        let target = &self.target;
        let machine = target.name.clone();
        let address = target.address();
        let presented = known_hosts::fingerprint(key);
        let algorithm = key.algorithm().to_string();
        if let Some(pinned) = &target.host_key {
            if let Some(place) = self.known.revoked(key) {
                return Err(Error::RevokedHostKey {
                    machine,
                    address,
                    fingerprint: presented,
                    place: place.to_owned(),
                });
            }
            if pinned.trim() == presented {
                return Ok(());
            }
            return Err(Error::ChangedHostKey {
                machine,
                address,
                key: Box::new(ChangedKey {
                    remedy: format!("put `ssh.hostKey: {presented}` in the file"),
                    algorithm,
                    presented,
                    expected: pinned.clone(),
                    place: "the cluster file (ssh.hostKey)".to_owned(),
                }),
            });
        }
        let file = &self.options.known_hosts;
        let mut verdict = self.known.judge(key);
        if verdict == Verdict::Unknown && self.options.accept_new_host_keys {
            verdict =
                known_hosts::learn(file, &target.host, target.port, key).map_err(|error| {
                    Error::io(
                        format!(
                            "the host key of {machine} can't be written to {}",
                            file.display()
                        ),
                        error,
                    )
                })?;
        }
        match verdict {
            Verdict::Same => Ok(()),
            Verdict::Unknown => Err(Error::UnknownHostKey {
                machine,
                address,
                algorithm,
                fingerprint: presented,
                known_hosts: file.clone(),
            }),
            Verdict::Changed { place, expected } => Err(Error::ChangedHostKey {
                machine,
                address,
                key: Box::new(ChangedKey {
                    algorithm,
                    presented,
                    expected,
                    remedy: format!("remove {place}, then compare and accept the new key"),
                    place,
                }),
            }),
            Verdict::Revoked { place } => Err(Error::RevokedHostKey {
                machine,
                address,
                fingerprint: presented,
                place,
            }),
        }
    }
}

impl client::Handler for Watcher {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // Learning may wait for another process's lock on the file; the worker thread may do
        // other things meanwhile.
        let key = key.public_key();
        let judge = self.clone();
        let needs_file = self.options.accept_new_host_keys && self.target.host_key.is_none();
        let judged = match needs_file {
            true => tokio::task::spawn_blocking(move || judge.judge(&key))
                .await
                .map_err(|error| io::Error::other(error.to_string()))?,
            false => judge.judge(&key),
        };
        match judged {
            Ok(()) => Ok(true),
            Err(error) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Ok(false)
            }
        }
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        let (cause, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("the machine said: {}", info.message), Ok(()))
            }
            DisconnectReason::Error(error) => {
                let cause = match &error {
                    russh::Error::KeepaliveTimeout => format!(
                        "no sign of life for {:?}",
                        self.options.keepalive * (self.options.keepalive_misses as u32 + 1)
                    ),
                    russh::Error::InactivityTimeout => "no data could be sent any more".to_owned(),
                    russh::Error::Disconnect | russh::Error::HUP => {
                        "the machine closed it".to_owned()
                    }
                    error => error.to_string(),
                };
                (cause, Err(error))
            }
        };
        let _ = self.ended.set(cause);
        result
    }
}
