//! Logins of a registry, as a file that its server reads.

use bramble_secret::Secret;
use sha2::{Digest, Sha256};

/// How hard a password is to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// A person thought of it.
    Chosen,
    /// It is random and long, as [`crate::password`] makes them.
    Random,
}

impl Strength {
    /// Each step doubles the work of whoever guesses, and of the server at each request.
    fn cost(self) -> u32 {
        match self {
            // A small board has some 60 ms to do.
            Strength::Chosen => 8,
            Strength::Random => 4,
        }
    }
}

/// The longest password in bytes: bcrypt takes in no more.
pub const LONGEST_PASSWORD: usize = 71;

/// Why there is no line for a user.
#[derive(Debug, thiserror::Error)]
#[error("the password of {user} can't be hashed: {source}")]
pub struct LoginError {
    user: String,
    source: bcrypt::BcryptError,
}

/// The line `user:hash` of an htpasswd file, hashed with bcrypt.
///
/// The same user, password and `place` (where the login counts) give the same line, so that what was
/// written before can be compared. The salt therefore comes from user and place. It must not come from
/// the password: a salt that can be computed from a guess would show whether the guess is right without
/// the work that bcrypt costs.
///
/// # Errors
/// When the password is too long, or has a zero byte.
pub fn htpasswd_line(
    place: &str,
    user: &str,
    password: &Secret,
    strength: Strength,
) -> Result<Secret, LoginError> {
    let whole = Sha256::digest(format!("htpasswd\n{place}\n{user}"));
    let mut salt = [0; 16];
    salt.copy_from_slice(&whole[..16]);
    let hashed = bcrypt::non_truncating_hash_with_salt(password.expose(), strength.cost(), salt);
    let hashed = hashed.map_err(|source| LoginError {
        user: user.to_owned(),
        source,
    })?;
    let text = hashed.format_for_version(bcrypt::Version::TwoY);
    Ok(Secret::new(format!("{user}:{text}\n")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn line(place: &str, user: &str, password: &str) -> String {
        let line = htpasswd_line(place, user, &Secret::new(password), Strength::Chosen).unwrap();
        line.expose().to_owned()
    }

    #[test]
    fn the_same_login_has_the_same_line() {
        let one = line("home", "anna", "sesame");
        assert_eq!(one, line("home", "anna", "sesame"));
        assert!(one.starts_with("anna:$2y$08$") && one.ends_with('\n'));
        let hash = one.trim_end().split_once(':').unwrap().1;
        assert!(bcrypt::verify("sesame", hash).unwrap());
        assert!(!bcrypt::verify("Sesame", hash).unwrap());
    }

    #[test]
    fn the_salt_depends_on_the_place_and_the_user_alone() {
        let salt = |line: &str| line.split('$').nth(3).unwrap()[..22].to_owned();
        let one = line("home", "anna", "sesame");
        assert_eq!(salt(&one), salt(&line("home", "anna", "another")));
        assert_ne!(salt(&one), salt(&line("home", "ben", "sesame")));
        assert_ne!(salt(&one), salt(&line("office", "anna", "sesame")));
    }

    #[test]
    fn nothing_of_a_password_is_ignored() {
        let longest = "x".repeat(LONGEST_PASSWORD);
        assert!(htpasswd_line("home", "anna", &Secret::new(&longest), Strength::Random).is_ok());
        let longer = "x".repeat(LONGEST_PASSWORD + 1);
        let error =
            htpasswd_line("home", "anna", &Secret::new(longer), Strength::Random).unwrap_err();
        assert!(error.to_string().contains("anna"), "{error}");
    }
}
