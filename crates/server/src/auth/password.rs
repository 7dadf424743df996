//! Passwords: argon2id with its crate's defaults (19 MiB, 2 passes, RFC 9106).

use super::error::Error;
use super::hasher::Hasher;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use bramble_secret::Secret;
use tokio::sync::Semaphore;

/// Hashes made at once; each takes 19 MiB and a core.
const AT_ONCE: usize = 2;

/// Fewest characters of a password.
const SHORTEST: usize = 10;

/// Most characters of a password.
const LONGEST: usize = 200;

/// Makes and checks hashes, few at a time.
pub(super) struct Passwords {
    turns: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Passwords {
    /// The hash of a password, as a PHC string.
    pub(super) async fn hash(&self, password: &Secret) -> Result<String, Error> {
        let count = password.expose().chars().count();
        if !(SHORTEST..=LONGEST).contains(&count) {
            return Err(Error::Password);
        }
        let password = password.clone();
        self.work(move || {
            let hash = Hasher.hash(password.expose().as_bytes());
            hash.map(|h| h.to_string())
                .map_err(|e| Error::Hash(e.to_string()))
        })
        .await
    }

    /// Whether a password is the one of a hash. Without a hash it takes as long, and it is not.
    pub(super) async fn is(&self, password: &Secret, hash: Option<&str>) -> Result<bool, Error> {
        if password.expose().chars().count() > LONGEST {
            return Ok(false);
        }
        let (password, hash) = (password.clone(), hash.map(str::to_owned));
        self.work(move || {
            let Some(hash) = hash else {
                let made = Hasher.hash(password.expose().as_bytes());
                return made.map(|_| false).map_err(|e| Error::Hash(e.to_string()));
            };
            let hash = PasswordHash::new(&hash).map_err(|e| Error::Hash(e.to_string()))?;
            let same = Hasher.verify_password(password.expose().as_bytes(), &hash);
            Ok(same.is_ok())
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self.turns.acquire().await;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Error::Hash(e.to_string()))?
    }
}
