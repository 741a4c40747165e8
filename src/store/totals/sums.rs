//! What request rows add up to: by session, and by minute, tool, client type, status and latency bucket.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde::Serialize;
use uuid::Uuid;

use super::clients::Clients;
use super::touches::Added;
use crate::model::label::{OTHER, UNKNOWN_TOOL, is_method};
use crate::model::latency;
use crate::model::request::RequestStatus;
use crate::model::text::clean;
use crate::model::timestamp::Timestamp;
use crate::store::rows::{NewRequest, sql};

/// Sums of the rows of one boot.
#[derive(Debug, Default)]
pub(in crate::store) struct Sums {
    sessions: HashMap<Uuid, Counters>,
    connections: HashMap<Arc<str>, Counters>,
    minutes: HashMap<MinuteKey, Counters>,
    /// The lowest row number that is in the sums.
    first: i64,
    /// The highest one.
    seq: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    calls: i64,
    errors: i64,
    duration_us: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct MinuteKey {
    minute: Timestamp,
    method: Arc<str>,
    tool_name: Arc<str>,
    client_type: Arc<str>,
    status: RequestStatus,
    bucket: i32,
}

/// The longest text in a key of the sums: the database refuses keys beyond a size, and one refused key would stop them
/// all.
const KEY_TEXT_BYTES: usize = 200;

/// A text that any database takes in a key.
fn key_text(text: &Arc<str>) -> Arc<str> {
    if text.len() <= KEY_TEXT_BYTES && !text.contains('\0') {
        return text.clone();
    }
    let end = text.floor_char_boundary(KEY_TEXT_BYTES);
    clean(&text[..end], KEY_TEXT_BYTES).into()
}

static OTHER_METHODS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(OTHER));
static UNKNOWN_TOOLS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(UNKNOWN_TOOL));

/// The method under which a row is summed.
fn method_label(request: &NewRequest) -> Arc<str> {
    // What has run needs no look.
    if request.rule.is_some() || is_method(&request.method) { request.method.clone() } else { OTHER_METHODS.clone() }
}

/// The same of its tool; empty where it is no call. A call without a rule named a tool that is not served.
fn tool_label(request: &NewRequest) -> Arc<str> {
    match &request.tool_name {
        None => Arc::default(),
        Some(name) if request.rule.is_some() => key_text(name),
        Some(_) => UNKNOWN_TOOLS.clone(),
    }
}

impl Sums {
    /// Up to which of the boot's rows they reach; zero when they are empty.
    pub(in crate::store) fn seq(&self) -> i64 {
        self.seq
    }

    /// From which of the boot's rows on; zero when they are empty.
    pub(in crate::store) fn first(&self) -> i64 {
        self.first
    }

    /// Adds other sums of the same boot.
    pub(in crate::store) fn join(&mut self, more: Self) {
        self.reach(more.first, more.seq);
        for (id, counters) in more.sessions {
            self.sessions.entry(id).or_default().add(counters);
        }
        for (id, counters) in more.connections {
            self.connections.entry(id).or_default().add(counters);
        }
        for (key, counters) in more.minutes {
            self.minutes.entry(key).or_default().add(counters);
        }
    }

    fn reach(&mut self, first: i64, last: i64) {
        if first > 0 && (self.first == 0 || first < self.first) {
            self.first = first;
        }
        self.seq = self.seq.max(last);
    }

    /// Adds a row, under names that clients cannot make up without end.
    pub(super) fn add(&mut self, request: &NewRequest, seq: i64, clients: &mut Clients) {
        let tokens = request.tokens.unwrap_or_default();
        let counters = Counters {
            calls: 1,
            errors: i64::from(request.status != RequestStatus::Success),
            duration_us: request.duration_us,
            prompt_tokens: i64::from(tokens.prompt),
            completion_tokens: i64::from(tokens.completion),
        };
        if request.tool_name.is_some() {
            if let Some(id) = request.session_id {
                self.sessions.entry(id).or_default().add(counters);
            }
            if let Some(id) = &request.protocol_session_id {
                self.connections.entry(id.clone()).or_default().add(counters);
            }
        }
        let duration = std::time::Duration::from_micros(request.duration_us.try_into().unwrap_or(0));
        let minute = request.timestamp.minute();
        let key = MinuteKey {
            minute,
            method: method_label(request),
            tool_name: tool_label(request),
            client_type: clients.label(minute.day(), key_text(&request.client_type)),
            status: request.status,
            bucket: latency::bucket(duration),
        };
        self.minutes.entry(key).or_default().add(counters);
        self.reach(seq, seq);
    }

    /// The counters of Archon sessions.
    pub(in crate::store) fn by_session(&self) -> impl Iterator<Item = (Uuid, Added)> {
        self.sessions.iter().map(|(id, counters)| (*id, counters.added()))
    }

    /// The counters of protocol sessions.
    pub(in crate::store) fn by_connection(&self) -> impl Iterator<Item = (Arc<str>, Added)> {
        self.connections.iter().map(|(id, counters)| (id.clone(), counters.added()))
    }

    /// The sums by minute, sorted, so that two servers lock rows in the same order.
    pub(in crate::store) fn by_minute(&self) -> Vec<MinuteRow> {
        sorted_rows(&self.minutes)
    }

    /// Those of tool calls by hour, all tools and clients together.
    pub(in crate::store) fn by_hour(&self) -> Vec<MinuteRow> {
        let all = Arc::<str>::from("");
        self.by(|key| {
            let (method, tool_name, client_type) = (all.clone(), all.clone(), all.clone());
            let hour = MinuteKey { minute: key.minute.hour(), method, tool_name, client_type, ..key.clone() };
            (!key.tool_name.is_empty()).then_some(hour)
        })
    }

    /// The sums by day.
    pub(in crate::store) fn by_day(&self) -> Vec<MinuteRow> {
        self.by(|key| Some(MinuteKey { minute: key.minute.day(), ..key.clone() }))
    }

    fn by(&self, coarser: impl Fn(&MinuteKey) -> Option<MinuteKey>) -> Vec<MinuteRow> {
        let mut sums = HashMap::<MinuteKey, Counters>::new();
        for (key, counters) in &self.minutes {
            if let Some(key) = coarser(key) {
                sums.entry(key).or_default().add(*counters);
            }
        }
        sorted_rows(&sums)
    }

    /// The sessions whose rows after `folded` may be late, sorted likewise.
    pub(in crate::store) fn windows(&self, boot: i64, folded: i64) -> Vec<Window> {
        let mut ids: Vec<_> = self.sessions.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().map(|session_id| Window { session_id, boot, seq: folded }).collect()
    }
}

impl Counters {
    fn add(&mut self, more: Self) {
        self.calls += more.calls;
        self.errors += more.errors;
        self.duration_us += more.duration_us;
        self.prompt_tokens += more.prompt_tokens;
        self.completion_tokens += more.completion_tokens;
    }

    fn added(self) -> Added {
        let Self { calls, errors, prompt_tokens, completion_tokens, .. } = self;
        Added { calls, errors, prompt_tokens, completion_tokens }
    }
}

fn sorted_rows(sums: &HashMap<MinuteKey, Counters>) -> Vec<MinuteRow> {
    let mut sums: Vec<_> = sums.iter().collect();
    sums.sort_unstable_by_key(|(key, _)| *key);
    sums.into_iter().map(|(key, counters)| MinuteRow::new(key, *counters)).collect()
}

/// What is added to the sums by minute, hour or day.
#[derive(Debug, Serialize)]
pub(in crate::store) struct MinuteRow {
    #[serde(serialize_with = "sql")]
    minute: Timestamp,
    #[serde(serialize_with = "sql")]
    hour: Timestamp,
    #[serde(serialize_with = "sql")]
    day: Timestamp,
    method: Arc<str>,
    tool_name: Arc<str>,
    client_type: Arc<str>,
    status: &'static str,
    bucket: i32,
    calls: i64,
    duration_us: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
}

impl MinuteRow {
    fn new(key: &MinuteKey, c: Counters) -> Self {
        Self {
            minute: key.minute,
            hour: key.minute.hour(),
            day: key.minute.day(),
            method: key.method.clone(),
            tool_name: key.tool_name.clone(),
            client_type: key.client_type.clone(),
            status: key.status.as_str(),
            bucket: key.bucket,
            calls: c.calls,
            duration_us: c.duration_us,
            prompt_tokens: c.prompt_tokens,
            completion_tokens: c.completion_tokens,
        }
    }
}

/// The rows of a session that a boot wrote after one of that number.
#[derive(Debug, Serialize)]
pub(in crate::store) struct Window {
    session_id: Uuid,
    boot: i64,
    seq: i64,
}
