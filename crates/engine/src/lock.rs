//! The lock of a machine: held by a program that lives as long as the connection, so that it can't
//! outlive its holder, however that ends.

use bramble_fleet::{Error as FleetError, Held, Session};
use bramble_machine::shell::word;
use std::time::Duration;

/// How long a program that a cut-off run left on the machine may still take.
pub const LEFT_OVER: Duration = Duration::from_secs(900);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("{machine} is in use by {holder}")]
    Busy {
        /// Machine.
        machine: String,
        /// Who, since when, doing what.
        holder: String,
    },
    /// The machine was changed since it was looked at.
    #[error("{machine} was changed by somebody else since it was looked at")]
    Stale {
        /// Machine.
        machine: String,
    },
    /// A program that a cut-off run left on the machine doesn't end.
    #[error(
        "{machine}: a program that a cut-off run left there is still at work after {} s",
        LEFT_OVER.as_secs()
    )]
    LeftOver {
        /// Machine.
        machine: String,
    },
    /// The lock program did not answer as it should.
    #[error("{machine}: the lock program said {said:?}")]
    Odd {
        /// Machine.
        machine: String,
        /// What it said.
        said: String,
    },
    /// No connection.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

/// Takes the lock of a machine for `holder` (one line for people), if its journal still has the
/// size that the plan was made with. Waits for the end of what a cut-off run left at work there.
///
/// # Errors
/// See [`LockError`].
pub async fn take(
    session: &Session,
    machine: &str,
    holder: &str,
    journal_size: u64,
) -> Result<Held, LockError> {
    let holder = word(holder.replace('\n', " "));
    let program = format!(
        "mkdir -p /run/bramble\n\
         # Ends with the connection, and is no holder itself.\n\
         exec 3<&0\n\
         cat <&3 >/dev/null 2>&1 & alive=$!\n\
         exec 3<&-\n\
         exec 8>>/run/bramble/lock\n\
         # A holder that was killed is gone a moment later than its connection.\n\
         if ! flock -w 3 8; then printf 'busy '; cat /run/bramble/holder; echo; exit 0; fi\n\
         printf '%s' {holder} > /run/bramble/holder\n\
         exec 9>>/run/bramble/step.lock\n\
         n=0\n\
         until flock -n 9; do\n\
         \t# A process that has ended has no program any more, also while nobody has waited for it.\n\
         \t[ -e /proc/$alive/exe ] || {{ rm -f /run/bramble/holder; exit 0; }}\n\
         \t[ $n -lt {} ] || {{ rm -f /run/bramble/holder; echo 'left over'; exit 0; }}\n\
         \tn=$((n + 1))\n\
         \tsleep 1\n\
         done\n\
         exec 9>&-\n\
         size=0\n\
         [ ! -e /var/lib/bramble/journal ] || size=$(wc -c < /var/lib/bramble/journal)\n\
         echo \"locked $size\"\n\
         wait $alive\n\
         rm -f /run/bramble/holder\n\
         # After a teardown nothing of Bramble is left.\n\
         [ -d /var/lib/bramble ] || rm -rf /run/bramble\n",
        LEFT_OVER.as_secs()
    );
    let (line, held) = session
        .hold(program.as_bytes(), LEFT_OVER + Duration::from_secs(20))
        .await?;
    if let Some(holder) = line.strip_prefix("busy ") {
        return Err(LockError::Busy {
            machine: machine.into(),
            holder: holder.trim().into(),
        });
    }
    if line.trim() == "left over" {
        return Err(LockError::LeftOver {
            machine: machine.into(),
        });
    }
    match line
        .strip_prefix("locked ")
        .and_then(|s| s.trim().parse::<u64>().ok())
    {
        Some(size) if size == journal_size => Ok(held),
        Some(_) => Err(LockError::Stale {
            machine: machine.into(),
        }),
        None => Err(LockError::Odd {
            machine: machine.into(),
            said: line,
        }),
    }
}
