//! A look at everything that rules need, for whoever keeps nothing of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::clients::of_client;
use super::overall::overall;
use super::problem::Problem;
use super::snapshot::Snapshot;
use super::thresholds::Thresholds;
use crate::model::group::Group;
use crate::queries::Queries;
use crate::queries::latest::Latest;
use crate::queries::sessions::SessionState;
use crate::queries::usage::UsageQuery;
use crate::queries::window::WindowQuery;
use crate::store::StoreError;

/// The boots that are looked at.
const BOOTS: usize = 50;
/// The calls of a tool's usual.
const DAY: Duration = Duration::from_hours(24);
/// The live sessions with errors that are looked at, the most recently used first.
const SESSIONS: usize = 1000;

/// What is wrong now, the most urgent first. `start` is the command that starts a server on this database.
///
/// # Errors
/// [`StoreError`].
pub async fn look(queries: &Queries, start: &str, thresholds: &Thresholds) -> Result<Vec<Problem>, StoreError> {
    let began = Instant::now();
    let is_original = queries.store().is_foreign();
    let boots = if is_original { None } else { Some(queries.boots(BOOTS).await?) };
    let answer = Some(began.elapsed());
    let now = queries.clock().now();
    let minutes = queries.minutes(now.minus(Duration::from_mins(thresholds.calls.minutes + 1))).await?;
    let crowds = queries.crowds(thresholds.client.crowd).await?;
    let failing = WindowQuery { standings: vec![SessionState::Alive], errors: Some(1), ..WindowQuery::default() };
    let sessions = queries.window(&failing, SESSIONS).await?.rows;
    let ids: Vec<String> = sessions.iter().map(|session| session.session_id.clone()).collect();
    let latest: HashMap<String, Latest> = queries.latest(&ids).await?;
    let tools = queries.usage(UsageQuery { by: Group::Tool, since: Some(DAY), exact: false, limit: None }).await?;
    let snapshot = Snapshot {
        now,
        boots: boots.as_deref(),
        minutes: &minutes,
        crowds: &crowds,
        sessions: &sessions,
        latest: Some(&latest),
        tools: &tools.groups,
        answer,
        start,
    };
    let clients = queries.clients().await?;
    let mut findings = overall(&snapshot, thresholds);
    findings.extend(clients.iter().filter_map(|client| {
        let finding = of_client(client, &thresholds.client)?;
        let name = [client.client_type.as_str(), client.client_version.as_str()].join(" ");
        Some(super::finding::Finding { text: format!("{} {}", name.trim(), finding.text), ..finding })
    }));
    findings.sort_by_key(|finding| finding.rule.urgency());
    Ok(findings.into_iter().map(Problem::from).collect())
}
