//! What the help page says besides the keys.

/// The commands, for the help page.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (":sessions :requests :tools :clients :events :history :boots", "show that screen"),
    (":filter WORDS", "filter this list; no WORDS clear it"),
    (":sort COLUMN [asc|desc]", "sort this list"),
    (":interval 5s", "refresh at this interval"),
    (":export csv|json [FILE]", "write this list to a file"),
    (":all  :live", "with ended sessions, or without"),
    (":expire  :pause  :help  :quit", "the same as x, p, ? and q"),
];

/// What filters look like, for the help page.
pub(super) const FILTERS: &[(&str, &str)] = &[
    ("claude", "rows with these letters anywhere"),
    ("client: tool: status: user: id:", "rows with them in that column, as in status:error or user:\"ann b\""),
    (
        "status:active status:idle status:ended",
        "sessions: in use, kept but unused, ended; status:live is active or idle",
    ),
    ("idle>10m errors>0 calls<=5", "compare a number, or a time such as 30s, 10m, 2h"),
    ("-client:cursor", "a minus negates a condition; all conditions must hold"),
];
