//! What the tests of tools share: a server's sessions over a database in memory, and one call in one line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{builtin, testing};
use crate::catalog::{Call, Catalog, Exchange, Questions, Talk};
use crate::model::clock::Clock;
use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use crate::protocol::initialize::InitializeParams;
use crate::session::{Opening, Policy, Sessions, Visitor};
use crate::store::{Location, OpenOptions, Role, Store};

/// When all calls arrive.
pub(super) const NOON: Timestamp = Timestamp::from_millis(1_768_046_400_000);

pub(super) struct Fixture {
    sessions: Arc<Sessions>,
    catalog: Catalog,
    visitor: Visitor,
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
            deployment: crate::session::Deployment::default(),
            on_tick: None,
        };
        let sessions = Sessions::begin(store, Clock::default(), policy).await.expect("a boot");
        let params = InitializeParams { protocol_version: "2025-11-25".into(), capabilities: None, client_info: None };
        let principal = Principal::anonymous();
        let opening = Opening { principal: &principal, params: &params, archon: None, previous: None, address: None };
        let visitor = Visitor::Session(sessions.open(&opening).await.expect("a session"));
        let catalog = testing::add_to(builtin(&sessions), &sessions);
        Self { sessions, catalog, visitor, cancelled: CancellationToken::new() }
    }

    pub(super) fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Calls a tool: its object, or the `error` of its failure.
    pub(super) async fn call(&self, name: &str, arguments: &str) -> Result<Value, Value> {
        let arguments = RawValue::from_string(arguments.to_owned()).expect("json");
        let (exchange, questions) = (Arc::new(Exchange::default()), Questions::default());
        let talk = Talk::new(&self.visitor, &exchange, &questions, None);
        let call = Call {
            visitor: &self.visitor,
            archon_session: Some(self.visitor.live().archon_id()),
            arguments: Some(&arguments),
            meta: None,
            received_at: NOON,
            deadline: Instant::now() + Duration::from_mins(5),
            cancelled: &self.cancelled,
            talk: &talk,
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("json");
        match self.catalog.tool(name).expect("a tool").1.call(call).await {
            Ok(output) => Ok(json(&output.as_json())),
            Err(error) => {
                let body = json(error.body().get());
                assert_eq!(body["success"], false);
                Err(body["error"].clone())
            }
        }
    }
}
