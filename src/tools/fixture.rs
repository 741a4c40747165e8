//! What the tests of tools share: a server's sessions over a database in memory, and one call in one line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ToolCall, ToolSet, testing};
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::session::{Policy, Sessions};
use crate::store::{Location, OpenOptions, Role, Store};

/// When all calls arrive.
pub(super) const NOON: Timestamp = Timestamp::from_millis(1_768_046_400_000);

pub(super) struct Fixture {
    sessions: Arc<Sessions>,
    tools: ToolSet,
    /// Given to every call.
    pub(super) cancelled: CancellationToken,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let options = OpenOptions { location: Location::SqliteMemory, role: Role::Server, sync_full: false };
        let store = Store::open(&options).await.expect("a database in memory");
        let policy = Policy {
            timeout: Duration::from_hours(1),
            protocol_timeout: Duration::from_hours(1) * 30,
            max_age: None,
            recover_window: Duration::ZERO,
            cleanup_interval: Duration::from_mins(5),
            retention: None,
            capture_retention: None,
            store_grace: Duration::from_mins(1),
            caps: crate::session::Caps::default(),
            token_method: "off",
            listen: None,
            on_tick: None,
        };
        Self {
            sessions: Sessions::begin(store, Clock::default(), policy).await.expect("a boot"),
            tools: testing::add_to(ToolSet::builtin()),
            cancelled: CancellationToken::new(),
        }
    }

    /// Calls a tool: its object, or the `error` of its failure.
    pub(super) async fn call(&self, name: &str, arguments: &str) -> Result<Value, Value> {
        let arguments = RawValue::from_string(arguments.to_owned()).expect("json");
        let call = ToolCall {
            arguments: Some(&arguments),
            sessions: &self.sessions,
            protocol_session: "00000000-protocol",
            archon_session: Some(Uuid::nil()),
            received_at: NOON,
            cancelled: &self.cancelled,
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("json");
        match self.tools.get(name).expect("a tool").call(call).await {
            Ok(output) => Ok(json(output.as_str())),
            Err(error) => {
                let body = json(error.body().get());
                assert_eq!(body["success"], false);
                Err(body["error"].clone())
            }
        }
    }
}
