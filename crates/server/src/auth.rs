//! Who may ask for something: people by password and session, programs by token.
//!
//! Nothing that lets somebody in is kept: passwords as argon2id hashes, sessions and tokens (192 random bits)
//! as SHA-256.

mod again;
mod error;
mod first;
mod hasher;
mod last;
mod password;
mod people;
mod session;
mod token;

pub use error::Error;
pub use people::PersonView;
pub use session::LoggedIn;
pub use token::{NewToken, TokenView};

use bramble_store::Store;
use bramble_store::record::Role;
use password::Passwords;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Longest name of a user.
const LONGEST_NAME: usize = 40;

/// Somebody who was recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they were recognized.
    pub by: By,
}

/// How somebody was recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By a session; the document's name.
    Session(String),
    /// By a token; the document's name.
    Token(String),
}

/// Recognizes people and programs, and keeps who they are.
#[derive(Clone)]
pub struct Auth {
    store: Arc<dyn Store>,
    passwords: Arc<Passwords>,
}

impl Auth {
    /// Recognizes those that this store knows.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            passwords: Arc::new(Passwords::default()),
        }
    }
}

/// What of a random secret is kept.
fn hashed(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A name that can stand in a path and in a log: lower case letters, digits, `-`, `_`, `.`, `@`.
fn checked_name(name: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.@".contains(c);
    let begins = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.chars().all(fine) && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Error::Name)
}
