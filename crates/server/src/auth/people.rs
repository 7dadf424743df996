//! Users.

use super::{Auth, Error, checked_name};
use bramble_secret::Secret;
use bramble_store::record::{Role, Session, Token, User};
use bramble_store::{Key, Kind, Typed};
use jiff::Timestamp;

/// What is told of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonView {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created: Timestamp,
}

impl Auth {
    /// Everybody who may log in.
    ///
    /// # Errors
    /// The store's.
    pub async fn people(&self) -> Result<Vec<PersonView>, Error> {
        let all = self.store.all::<User>().await?;
        let view = |user: bramble_store::Stored<User>| PersonView {
            name: user.name,
            role: user.it.role,
            created: user.it.created,
        };
        Ok(all.into_iter().map(view).collect())
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Password`]; the store's, also where there is one of that name.
    pub async fn make_user(&self, name: &str, password: &Secret, role: Role) -> Result<(), Error> {
        let user = self.fresh(name, password, role).await?;
        self.store.add(name, user).await?;
        Ok(())
    }

    /// A user that is not kept yet.
    pub(super) async fn fresh(
        &self,
        name: &str,
        password: &Secret,
        role: Role,
    ) -> Result<User, Error> {
        checked_name(name)?;
        Ok(User {
            role,
            password: self.passwords.hash(password).await?,
            created: Timestamp::now(),
        })
    }

    /// Changes a password; whoever is logged in as that user is logged out, but for one session.
    ///
    /// # Errors
    /// [`Error::Password`]; the store's.
    pub async fn change_password(
        &self,
        name: &str,
        password: &Secret,
        but: Option<&str>,
    ) -> Result<(), Error> {
        let hash = self.passwords.hash(password).await?;
        self.store
            .change::<User, Error, _>(name, |user| {
                user.password.clone_from(&hash);
                Ok(())
            })
            .await?;
        self.log_out_all(name, but).await
    }

    /// Changes what a user may do.
    ///
    /// # Errors
    /// [`Error::LastAdmin`]; the store's.
    pub async fn change_role(&self, name: &str, role: Role) -> Result<(), Error> {
        let leaves = role != Role::Admin;
        if leaves {
            self.may_leave(name).await?;
        }
        let changed = self
            .store
            .change::<User, Error, _>(name, |user| {
                user.role = role;
                Ok(())
            })
            .await;
        if leaves {
            self.has_left(name).await;
        }
        changed.map(drop)
    }

    /// Deletes a user with sessions and tokens.
    ///
    /// # Errors
    /// [`Error::LastAdmin`]; the store's, also where there is none.
    pub async fn delete_user(&self, name: &str) -> Result<(), Error> {
        self.may_leave(name).await?;
        let key = Key::new(Kind::User, name);
        let deleted = self.store.delete(&key, None).await;
        self.has_left(name).await;
        if !deleted? {
            return Err(bramble_store::Error::Missing(key).into());
        }
        for token in self.store.all::<Token>().await? {
            if token.it.user == name {
                let key = Key::new(Kind::Token, token.name);
                self.store.delete(&key, None).await?;
            }
        }
        self.log_out_all(name, None).await
    }

    async fn log_out_all(&self, name: &str, but: Option<&str>) -> Result<(), Error> {
        for session in self.store.all::<Session>().await? {
            if session.it.user == name && but != Some(session.name.as_str()) {
                let key = Key::new(Kind::Session, session.name);
                self.store.delete(&key, None).await?;
            }
        }
        Ok(())
    }
}
