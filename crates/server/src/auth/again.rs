//! Whether somebody who was recognized would be now.

use super::{Auth, By, Caller, Error};
use bramble_store::Typed;
use bramble_store::record::{Session, Token, User};
use jiff::Timestamp;

impl Auth {
    /// Whether the session or token that a caller came by is still good, and the user still there.
    ///
    /// # Errors
    /// The store's.
    pub async fn still_knows(&self, caller: &Caller) -> Result<bool, Error> {
        let found = match &caller.by {
            By::Session(name) => {
                let found = self.store.find::<Session>(name).await?;
                found.map(|session| (session.it.user, Some(session.it.expires)))
            }
            By::Token(id) => {
                let found = self.store.find::<Token>(id).await?;
                found.map(|token| (token.it.user, token.it.expires))
            }
        };
        match found {
            Some((user, end)) if end.is_none_or(|end| end > Timestamp::now()) => {
                Ok(self.store.find::<User>(&user).await?.is_some())
            }
            _ => Ok(false),
        }
    }
}
