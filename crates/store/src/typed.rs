//! Documents as what they are about.

use crate::document::{Document, Key, Kind};
use crate::error::Error;
use crate::store::Store;
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often a change is tried while others change the same.
const TRIES: u32 = 16;

/// What a document of one kind says.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// Its kind.
    const KIND: Kind;
}

/// A record at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    /// Its name.
    pub name: String,
    /// The version that it was read at.
    pub version: String,
    /// What it says.
    pub it: T,
}

impl<T: Record> Stored<T> {
    fn of(document: Document) -> Result<Self, Error> {
        match serde_json::from_value(document.body) {
            Ok(it) => Ok(Self {
                name: document.key.name,
                version: document.version,
                it,
            }),
            Err(source) => Err(Error::Unreadable {
                key: document.key,
                source,
            }),
        }
    }

    fn document(&self) -> Result<Document, Error> {
        let key = Key::new(T::KIND, &self.name);
        let body = body(&key, &self.it)?;
        Ok(Document {
            key,
            version: self.version.clone(),
            body,
        })
    }
}

fn body<T: Serialize>(key: &Key, it: &T) -> Result<serde_json::Value, Error> {
    serde_json::to_value(it).map_err(|source| Error::Unreadable {
        key: key.clone(),
        source,
    })
}

/// A store by records.
#[async_trait]
pub trait Typed {
    /// The record of that name, if it is there.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and those of [`Store::get`].
    async fn find<T: Record>(&self, name: &str) -> Result<Option<Stored<T>>, Error>;

    /// The record of that name.
    ///
    /// # Errors
    /// [`Error::Missing`], and those of [`Typed::find`].
    async fn need<T: Record>(&self, name: &str) -> Result<Stored<T>, Error>;

    /// All records of a kind, by name.
    ///
    /// # Errors
    /// [`Error::Unreadable`], and those of [`Store::list`].
    async fn all<T: Record>(&self) -> Result<Vec<Stored<T>>, Error>;

    /// Makes a record that is not there yet.
    ///
    /// # Errors
    /// Those of [`Store::create`].
    async fn add<T: Record>(&self, name: &str, it: T) -> Result<Stored<T>, Error>;

    /// Writes a record that was read and changed.
    ///
    /// # Errors
    /// Those of [`Store::replace`].
    async fn save<T: Record>(&self, stored: Stored<T>) -> Result<Stored<T>, Error>;

    /// Changes a record, again with what others made of it where they were quicker. What `change` refuses is
    /// not written.
    ///
    /// # Errors
    /// What `change` gives; [`Error::Missing`], [`Error::Contended`], and those of [`Store::replace`].
    async fn change<T, E, F>(&self, name: &str, change: F) -> Result<Stored<T>, E>
    where
        T: Record,
        E: From<Error> + Send,
        F: FnMut(&mut T) -> Result<(), E> + Send;
}

#[async_trait]
impl<S: Store + ?Sized> Typed for S {
    async fn find<T: Record>(&self, name: &str) -> Result<Option<Stored<T>>, Error> {
        let found = self.get(&Key::new(T::KIND, name)).await?;
        found.map(Stored::of).transpose()
    }

    async fn need<T: Record>(&self, name: &str) -> Result<Stored<T>, Error> {
        let found = self.find(name).await?;
        found.ok_or_else(|| Error::Missing(Key::new(T::KIND, name)))
    }

    async fn all<T: Record>(&self) -> Result<Vec<Stored<T>>, Error> {
        let found = self.list(T::KIND).await?;
        found.into_iter().map(Stored::of).collect()
    }

    async fn add<T: Record>(&self, name: &str, it: T) -> Result<Stored<T>, Error> {
        let key = Key::new(T::KIND, name);
        let body = body(&key, &it)?;
        let made = self.create(&key, body).await?;
        Ok(Stored {
            name: name.to_owned(),
            version: made.version,
            it,
        })
    }

    async fn save<T: Record>(&self, stored: Stored<T>) -> Result<Stored<T>, Error> {
        let document = self.replace(&stored.document()?).await?;
        Ok(Stored {
            version: document.version,
            ..stored
        })
    }

    async fn change<T, E, F>(&self, name: &str, mut change: F) -> Result<Stored<T>, E>
    where
        T: Record,
        E: From<Error> + Send,
        F: FnMut(&mut T) -> Result<(), E> + Send,
    {
        for _ in 0..TRIES {
            let mut stored = self.need::<T>(name).await?;
            change(&mut stored.it)?;
            match self.save(stored).await {
                Err(Error::Changed(_)) => {}
                done => return Ok(done?),
            }
        }
        Err(Error::Contended {
            key: Key::new(T::KIND, name),
            tries: TRIES,
        }
        .into())
    }
}
