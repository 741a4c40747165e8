//! A moment: milliseconds of UTC, because that is what both databases keep.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 00:00 UTC. Shown as RFC 3339; stored as `TIMESTAMPTZ` on PostgreSQL and as
/// `YYYY-MM-DD HH:MM:SS.SSS` on SQLite, one form everywhere so that texts compare like times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// That much later; stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_millis(duration)))
    }

    /// That much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_millis(duration)))
    }

    /// That many milliseconds later, or earlier for less than nothing.
    #[must_use]
    pub fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The minute it lies in.
    #[must_use]
    pub const fn minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60_000))
    }

    /// The hour it lies in.
    #[must_use]
    pub const fn hour(self) -> Self {
        Self(self.0 - self.0.rem_euclid(3_600_000))
    }

    /// The day it lies in, in UTC.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(86_400_000))
    }

    /// `YYYY-MM-DD HH:MM:SS.SSS`, the text that SQLite keeps.
    pub fn sql_text(self) -> String {
        String::from_utf8_lossy(&self.sql_bytes()).into_owned()
    }

    fn sql_bytes(self) -> [u8; 23] {
        // Written by hand: it stands in the path of every call, and chrono's formatter costs ten times as much.
        let (days, in_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (seconds, millis) = (in_day / 1000, in_day % 1000);
        let mut out = *b"0000-00-00 00:00:00.000";
        digits(&mut out[0..4], year);
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], day);
        digits(&mut out[11..13], seconds / 3600);
        digits(&mut out[14..16], seconds / 60 % 60);
        digits(&mut out[17..19], seconds % 60);
        digits(&mut out[20..23], millis);
        out
    }

    /// Calls with its RFC 3339 text.
    fn with_text<T>(self, then: impl FnOnce(&str) -> T) -> T {
        let mut text = [b'Z'; 24];
        text[..23].copy_from_slice(&self.sql_bytes());
        text[10] = b'T';
        // Digits and punctuation are always a text.
        then(std::str::from_utf8(&text).unwrap_or_default())
    }

    /// Reads the text that SQLite keeps, also in the shorter forms that people type.
    pub fn parse_sql(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('Z');
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|moment| Self(moment.and_utc().timestamp_millis()))
    }

    /// As chrono has it, for drivers.
    pub fn to_chrono(self) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// From chrono, rounded to the millisecond.
    pub fn from_chrono(moment: DateTime<chrono::Utc>) -> Self {
        Self((moment.timestamp_micros() + 500).div_euclid(1000))
    }
}

fn saturating_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Days since 1970 to year, month, day in the proleptic Gregorian calendar (Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn digits(out: &mut [u8], mut value: i64) {
    for place in out.iter_mut().rev() {
        // `value % 10` is a digit by construction.
        *place = b'0' + u8::try_from(value.rem_euclid(10)).unwrap_or(0);
        value /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self::from_chrono(moment.to_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sql_text_is_what_chrono_would_write() {
        for millis in [0, 1, 951_782_399_999, 951_782_400_000, 1_768_046_400_000, 4_102_444_799_999, 1_709_164_800_123]
        {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(moment.sql_text(), moment.to_chrono().format("%Y-%m-%d %H:%M:%S%.3f").to_string());
            assert_eq!(Timestamp::parse_sql(&moment.sql_text()), Some(moment));
            assert_eq!(moment.to_string(), moment.to_chrono().to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        }
    }

    #[test]
    fn reads_what_people_type_into_sqlite3() {
        let noon = Timestamp::parse_sql("2026-01-10 12:00:00");
        assert_eq!(noon.map(|t| t.to_string()).as_deref(), Some("2026-01-10T12:00:00.000Z"));
        assert_eq!(Timestamp::parse_sql("yesterday"), None);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::from_millis(5).plus(Duration::MAX).millis(), i64::MAX);
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(61_001).minute().millis(), 60_000);
        assert_eq!(Timestamp::from_millis(90_061_001).hour().millis(), 90_000_000);
        assert_eq!(Timestamp::from_millis(90_061_001).day().millis(), 86_400_000);
    }
}
