//! Argon2 in memory that the system gets back.
//!
//! What glibc's `malloc` gave out and took back decides what it keeps: after the first hash, 19 MiB are no longer much to
//! it, and stay with the arena of the thread that had them, one after the other with many threads. Above 32 MiB
//! (`DEFAULT_MMAP_THRESHOLD_MAX`, `mallopt(3)`) everything goes back at once. What isn't touched takes no memory.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Blocks of more than 32 MiB.
const ROOM: usize = 33 * 1024 * 1024 / Block::SIZE;

/// Makes hashes as [`Argon2`] does; [`password_hash::PasswordVerifier`] checks them by making another.
pub(super) struct Hasher;

impl Hasher {
    /// The hash of a password with a salt of its own.
    pub fn hash(&self, password: &[u8]) -> password_hash::Result<PasswordHash> {
        let salt = password_hash::try_generate_salt().map_err(|_| password_hash::Error::Crypto)?;
        self.hash_password_customized(password, &salt, None, None, Params::default())
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<password_hash::Version>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?;
        let algorithm = algorithm.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?;
        let version = version.unwrap_or_default();
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut blocks = Vec::with_capacity(params.block_count().max(ROOM));
        blocks.resize(params.block_count(), Block::new());
        let mut hash = vec![0; length];
        let argon2 = Argon2::new(algorithm, version, params.clone());
        argon2.hash_password_into_with_memory(password, salt, &mut hash, &mut blocks)?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(&hash)?),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    #[test]
    fn a_hash_is_the_one_that_the_crate_makes() {
        let made = Hasher.hash(b"correct horse").unwrap();
        let salt = made.salt.unwrap();
        let same = Argon2::default().hash_password_with_salt(b"correct horse", &salt);
        assert_eq!(made, same.unwrap());
        assert!(
            made.to_string()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
    }

    #[test]
    fn hashes_of_the_crate_are_checked() {
        let made = Argon2::default().hash_password(b"correct horse").unwrap();
        Hasher.verify_password(b"correct horse", &made).unwrap();
        let error = Hasher.verify_password(b"correct house", &made);
        assert_eq!(error, Err(password_hash::Error::PasswordInvalid));
    }
}
