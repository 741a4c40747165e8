//! What calls are summed by.

use super::word::words;

words! {
    /// What calls are summed by.
    pub enum Group, "group" {
        /// The tool.
        Tool = "tool",
        /// The client's type.
        Client = "client",
        /// The Archon session.
        Session = "session",
        /// The user.
        User = "user",
        /// The day in which they arrived, in UTC.
        Day = "day",
        /// The hour in which they arrived, in UTC.
        Hour = "hour",
    }
}
