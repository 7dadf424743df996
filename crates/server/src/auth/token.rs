//! Tokens: what programs log in with. `brt_`, the public part, `_`, the secret part.

use super::{Auth, By, Caller, Error, hashed};
use bramble_secret::Secret;
use bramble_store::record::{Role, Token, User};
use bramble_store::{Key, Kind, Typed};
use jiff::Timestamp;

/// What every token begins with, so that tools which look for leaked secrets find it.
const PREFIX: &str = "brt_";

/// Hexadecimal digits of the public part.
const PUBLIC: usize = 12;

/// A token as it is shown once.
pub struct NewToken {
    /// Its public part.
    pub id: String,
    /// All of it.
    pub token: Secret,
}

/// What is told of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenView {
    /// Its public part.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What it is for, as they call it.
    pub label: String,
    /// What it may do at most.
    pub role: Role,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub expires: Option<Timestamp>,
}

impl Auth {
    /// Makes a token for a caller. A token makes none: one that leaked would outlive its end and its deletion.
    ///
    /// # Errors
    /// [`Error::ByToken`], [`Error::TooMuch`], [`Error::Past`]; the store's.
    pub async fn make_token(
        &self,
        caller: &Caller,
        label: &str,
        role: Role,
        expires: Option<Timestamp>,
    ) -> Result<NewToken, Error> {
        if matches!(caller.by, By::Token(_)) {
            return Err(Error::ByToken);
        }
        if role > caller.role {
            return Err(Error::TooMuch);
        }
        let created = Timestamp::now();
        if expires.is_some_and(|end| end <= created) {
            return Err(Error::Past);
        }
        let secret = bramble_keys::password()?;
        // What is public tells nothing about the rest.
        let mut id = hashed(bramble_keys::password()?.expose());
        id.truncate(PUBLIC);
        let token = Token {
            user: caller.name.clone(),
            label: label.into(),
            role,
            hash: hashed(secret.expose()),
            created,
            expires,
        };
        self.store.add(&id, token).await?;
        let token = Secret::new(format!("{PREFIX}{id}_{}", secret.expose()));
        Ok(NewToken { id, token })
    }

    /// Whom a token belongs to, if it is valid. It may never do more than its user.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_token(&self, token: &str) -> Result<Option<Caller>, Error> {
        let parts = token.strip_prefix(PREFIX).and_then(|t| t.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let Some(found) = self.store.find::<Token>(id).await? else {
            return Ok(None);
        };
        // Hashes of 192 random bits: how long the comparison takes tells nothing of use.
        let over = found.it.expires.is_some_and(|end| end <= Timestamp::now());
        if over || found.it.hash != hashed(secret) {
            return Ok(None);
        }
        let user = self.store.find::<User>(&found.it.user).await?;
        Ok(user.map(|user| Caller {
            role: user.it.role.min(found.it.role),
            name: user.name,
            by: By::Token(found.name),
        }))
    }

    /// A user's tokens; everybody's without a name.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenView>, Error> {
        let all = self.store.all::<Token>().await?;
        let theirs = all
            .into_iter()
            .filter(|token| user.is_none_or(|user| token.it.user == user));
        let view = |token: bramble_store::Stored<Token>| TokenView {
            id: token.name,
            user: token.it.user,
            label: token.it.label,
            role: token.it.role,
            created: token.it.created,
            expires: token.it.expires,
        };
        Ok(theirs.map(view).collect())
    }

    /// Deletes a token; with a user only if it is theirs.
    ///
    /// # Errors
    /// The store's, also where there is none.
    pub async fn delete_token(&self, id: &str, user: Option<&str>) -> Result<(), Error> {
        let found = self.store.need::<Token>(id).await?;
        let key = Key::new(Kind::Token, id);
        if user.is_some_and(|user| found.it.user != user) {
            return Err(bramble_store::Error::Missing(key).into());
        }
        self.store.delete(&key, None).await?;
        Ok(())
    }
}
