//! Sessions: what a browser holds after a login.

use super::{Auth, By, Caller, Error, hashed};
use bramble_secret::Secret;
use bramble_store::record::{Role, Session, Token, User};
use bramble_store::{Key, Kind, Typed};
use jiff::{SignedDuration, Timestamp};

/// How long a login lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Somebody who has just logged in.
pub struct LoggedIn {
    /// What the browser keeps.
    pub cookie: Secret,
    /// What they may do.
    pub role: Role,
    /// How long it lasts, in seconds.
    pub seconds: u64,
}

impl Auth {
    /// Lets somebody in by name and password. It takes as long for a name that nobody has.
    ///
    /// # Errors
    /// [`Error::Wrong`]; the store's.
    pub async fn log_in(&self, name: &str, password: &Secret) -> Result<LoggedIn, Error> {
        let user = self.store.find::<User>(name).await?;
        let hash = user.as_ref().map(|user| user.it.password.as_str());
        let right = self.passwords.is(password, hash).await?;
        let Some(user) = user.filter(|_| right) else {
            return Err(Error::Wrong);
        };
        self.drop_ended().await?;
        let cookie = bramble_keys::password()?;
        let now = Timestamp::now();
        let session = Session {
            user: user.name,
            created: now,
            expires: now + LASTS,
        };
        self.store.add(&hashed(cookie.expose()), session).await?;
        Ok(LoggedIn {
            cookie,
            role: user.it.role,
            seconds: LASTS.as_secs().unsigned_abs(),
        })
    }

    /// Whether a password is a user's.
    ///
    /// # Errors
    /// [`Error::Wrong`]; the store's.
    pub async fn check_password(&self, name: &str, password: &Secret) -> Result<(), Error> {
        let user = self.store.find::<User>(name).await?;
        let hash = user.as_ref().map(|user| user.it.password.as_str());
        match self.passwords.is(password, hash).await? {
            true => Ok(()),
            false => Err(Error::Wrong),
        }
    }

    /// Whom a cookie belongs to, if it is valid.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_cookie(&self, cookie: &str) -> Result<Option<Caller>, Error> {
        let name = hashed(cookie);
        let Some(session) = self.store.find::<Session>(&name).await? else {
            return Ok(None);
        };
        if session.it.expires <= Timestamp::now() {
            return Ok(None);
        }
        let user = self.store.find::<User>(&session.it.user).await?;
        Ok(user.map(|user| Caller {
            name: user.name,
            role: user.it.role,
            by: By::Session(name),
        }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out(&self, session: &str) -> Result<(), Error> {
        self.store
            .delete(&Key::new(Kind::Session, session), None)
            .await?;
        Ok(())
    }

    /// Drops sessions and tokens whose time is over.
    async fn drop_ended(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        for session in self.store.all::<Session>().await? {
            if session.it.expires <= now {
                self.log_out(&session.name).await?;
            }
        }
        for token in self.store.all::<Token>().await? {
            if token.it.expires.is_some_and(|end| end <= now) {
                let key = Key::new(Kind::Token, token.name);
                self.store.delete(&key, None).await?;
            }
        }
        Ok(())
    }
}
