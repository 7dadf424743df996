//! Time as the protocols and names want it. Always UTC: local time comes twice when summer ends, and with it a name.

use core::fmt;
use core::str::FromStr;

const DAY: u64 = 86_400;

/// Seconds since 1970 in UTC, from 2024 to the end of 2099: a clock that says anything else isn't set, and years
/// have four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(u64);

/// A time of the day: hour 0 to 23, minute and second 0 to 59.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
    second: u8,
}

/// Why something is no [`TimeOfDay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of the day is `HH:MM:SS` or `HHMMSS`")]
pub struct BadTime;

impl UnixTime {
    /// 2024-01-01T00:00:00Z.
    pub const FIRST: Self = Self(1_704_067_200);
    /// 2099-12-31T23:59:59Z.
    pub const LAST: Self = Self(4_102_444_799);

    /// A time of that many seconds, if it is plausible.
    pub const fn new(seconds: u64) -> Option<Self> {
        if seconds < Self::FIRST.0 || seconds > Self::LAST.0 {
            return None;
        }
        Some(Self(seconds))
    }

    /// Seconds since 1970.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Seconds between two times, whichever is the later.
    pub const fn apart(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// So many milliseconds later, whole seconds; never past [`Self::LAST`].
    pub(crate) fn after_ms(self, ms: u64) -> Self {
        Self((self.0 + ms / 1000).min(Self::LAST.0))
    }

    /// The time of the day.
    pub const fn time_of_day(self) -> TimeOfDay {
        let second = self.0 % DAY;
        TimeOfDay {
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
        }
    }

    /// Year, month and day of the Gregorian calendar: Howard Hinnant's `civil_from_days`
    /// (<https://howardhinnant.github.io/date_algorithms.html>), without what only years before 1970 need.
    pub(crate) fn date(self) -> (u64, u64, u64) {
        let days = self.0 / DAY + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months counted from March, so that the leap day is the last of the year.
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (year, month, day)
    }
}

impl TimeOfDay {
    /// A time of the day, if there is one.
    pub const fn new(hour: u8, minute: u8, second: u8) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(Self {
            hour,
            minute,
            second,
        })
    }

    /// Hour, minute, second.
    pub(crate) const fn parts(self) -> [u8; 3] {
        [self.hour, self.minute, self.second]
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// Reads `HH:MM:SS`, and `HHMMSS` as the CCPDashButton sends it in `ProvisionCluster`.
impl FromStr for TimeOfDay {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let digits = match *text.as_bytes() {
            [a, b, b':', c, d, b':', e, f] => [a, b, c, d, e, f],
            [a, b, c, d, e, f] => [a, b, c, d, e, f],
            _ => return Err(BadTime),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(BadTime);
        }
        let number = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
        Self::new(number(0), number(2), number(4)).ok_or(BadTime)
    }
}
