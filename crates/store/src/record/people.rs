//! Who may do what. Nothing here is a secret by itself: passwords and tokens are kept as hashes.

use crate::document::Kind;
use crate::typed::Record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do; each role may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Look at everything but secrets.
    Viewer,
    /// Make, change and take down clusters.
    Operator,
    /// Also users, tokens of others, buttons and settings.
    Admin,
}

/// Somebody who may log in. The name of the document is the user's.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// What they may do.
    pub role: Role,
    /// Their password's hash in PHC form (argon2id).
    pub password: String,
    /// Since when.
    pub created: Timestamp,
}

impl Record for User {
    const KIND: Kind = Kind::User;
}

/// What a program logs in with. The name of the document is the token's public part.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Whose it is.
    pub user: String,
    /// What it is for, as they call it.
    pub label: String,
    /// What it may do at most; never more than its user.
    pub role: Role,
    /// SHA-256 of its secret part, in hexadecimal digits.
    pub hash: String,
    /// Since when.
    pub created: Timestamp,
    /// Until when; `None` = for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Record for Token {
    const KIND: Kind = Kind::Token;
}

/// Somebody who has logged in. The name of the document is the SHA-256 of what their browser holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Who.
    pub user: String,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

impl Record for Session {
    const KIND: Kind = Kind::Session;
}
