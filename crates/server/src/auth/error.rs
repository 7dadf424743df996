//! Why somebody is not let in, or something about them not changed.

/// Why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Name and password do not belong together; which of them is wrong is not said.
    #[error("name or password is wrong")]
    Wrong,
    /// The link for the first user is not (or no longer) valid.
    #[error("this link is not valid")]
    Link,
    /// A name that can't be one.
    #[error(
        "a name has 1 to 40 lower case letters, digits, `-`, `_`, `.`, `@`, and begins with a letter or digit"
    )]
    Name,
    /// A password that is too easy or too long.
    #[error("a password has 10 to 200 characters")]
    Password,
    /// Nobody could change anything any more.
    #[error("{0} is the only admin")]
    LastAdmin(String),
    /// More was asked for than who asks may do.
    #[error("nobody gives away more than they may do themselves")]
    TooMuch,
    /// A token that asks for another one.
    #[error("a token is made by who is logged in with a password")]
    ByToken,
    /// Something that ends in the past.
    #[error("the end is in the past")]
    Past,
    /// This computer gives no random numbers.
    #[error(transparent)]
    Keys(#[from] bramble_keys::KeyError),
    /// A password could not be hashed or a hash not be read.
    #[error("the password could not be checked: {0}")]
    Hash(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Link => {
                Some("a restart of the daemon prints a new one as long as there are no users")
            }
            Error::ByToken => Some("make it at the web page, or log in again: bramble login"),
            Error::LastAdmin(_) => Some("make somebody else an admin first"),
            Error::Store(error) => error.hint(),
            _ => None,
        }
    }
}
