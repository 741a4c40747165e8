//! What the help page says besides the keys.

/// The commands, for the help page.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (":sessions :requests :tools :clients :events :history :boots", "that screen"),
    (":filter WORDS", "filter this list; nothing clears it"),
    (":sort COLUMN [asc|desc]", "sort this list"),
    (":interval 5s", "refresh that often"),
    (":export csv|json [FILE]", "write this list to a file"),
    (":all  :live", "list ended sessions, too, or not"),
    (":expire  :pause  :help  :quit", "the same as x, p, ? and q"),
];

/// What filters look like, for the help page.
pub(super) const FILTERS: &[(&str, &str)] = &[
    ("claude", "the letters stand anywhere in the row"),
    ("client: tool: status: user: id:", "they stand in that column, as in status:error or user:\"ann b\""),
    (
        "status:active status:idle status:ended",
        "sessions: in use, kept though not used, ended; status:live is the first two",
    ),
    ("idle>10m errors>0 calls<=5", "the figure compares so; times as 30s, 10m, 2h"),
    ("-client:cursor", "a minus turns a condition round; all conditions must hold"),
];
