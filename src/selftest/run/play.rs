//! A scenario is played: its steps one after the other, until one fails.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, try_join_all};
use rustix::process::Signal as ProcessSignal;
use serde_json::Value;

use super::failure::{Failure, Mismatch, Outcome};
use super::scope::{OpenSession, Scope, as_text};
use crate::model::clock::Clock;
use crate::model::session::EndReason;
use crate::selftest::script::Scenario;
use crate::selftest::script::step::{Log, Parallel, Restart, Signal, Sql, Step};
use crate::selftest::target::{Stage, TargetError};
use crate::store::Location;
use crate::store::reports::look::Rows;
use crate::store::sessions::Ending;

/// How long one step may take when it does not say.
pub(super) const STEP_TIME: Duration = Duration::from_secs(10);
/// How long `wait` rests between two attempts.
const REST: Duration = Duration::from_millis(25);
/// Lines of the server's log in a report.
const LOG_TAIL: usize = 15;

impl From<TargetError> for Box<Failure> {
    fn from(error: TargetError) -> Self {
        Failure::broken(error.to_string())
    }
}

/// Plays one scenario on one stage.
pub(super) struct Player<'a> {
    pub(super) stage: &'a Stage,
    pub(super) scenario: &'a Scenario,
    /// Where it is, for when its time is over.
    now_at: Mutex<String>,
    /// Sessions that were opened.
    opened: Mutex<Vec<OpenSession>>,
}

impl<'a> Player<'a> {
    pub(super) fn new(stage: &'a Stage, scenario: &'a Scenario) -> Self {
        Self { stage, scenario, now_at: Mutex::default(), opened: Mutex::default() }
    }

    /// Plays all of it.
    pub(super) async fn play(&self) -> Outcome<()> {
        let mut scope = Scope::default();
        scope.variables.insert("run".to_owned(), uuid::Uuid::new_v4().to_string().into());
        self.steps(&self.scenario.step, &mut scope, "").await
    }

    /// Where it is.
    pub(super) fn now_at(&self) -> String {
        self.now_at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn opened(&self, session: OpenSession) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    /// Closes what it has left open.
    pub(super) async fn tidy(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        for session in opened.iter().filter(|session| session.id.is_some()) {
            self.close(session).await;
        }
    }

    pub(super) fn url(&self, step: &Step) -> Outcome<&str> {
        let url = self.stage.urls.get(step.server).map(String::as_str);
        url.ok_or_else(|| Failure::broken(format!("there is no server {}", step.server)))
    }

    /// Steps in their order; `number` is that of the step around them.
    fn steps<'b>(&'b self, steps: &'b [Step], scope: &'b mut Scope, number: &'b str) -> BoxFuture<'b, Outcome<()>> {
        Box::pin(async move {
            for (place, step) in steps.iter().enumerate() {
                let number = format!("{number}{}", place + 1);
                self.step_numbered(step, scope, &number).await?;
            }
            Ok(())
        })
    }

    async fn step_numbered(&self, step: &Step, scope: &mut Scope, number: &str) -> Outcome<()> {
        let title = format!("step {number} ({})", step.title());
        self.now_at.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&title);
        let Err(mut failure) = self.step(step, scope, &format!("{number}.")).await else { return Ok(()) };
        if failure.step.is_empty() {
            failure.step = title;
            failure.log = self.stage.log_tail(LOG_TAIL).await;
        }
        Err(failure)
    }

    async fn step(&self, step: &Step, scope: &mut Scope, number: &str) -> Outcome<()> {
        let session = {
            let name = step.session.as_deref().unwrap_or("main");
            scope.seen_from(name, self.url(step)?).text(name)?
        };
        if let Some(what) = &step.initialize {
            self.initialize(step, what, scope, &session).await
        } else if let Some(call) = &step.call {
            self.call(step, call, scope, &session).await
        } else if let Some(what) = &step.notify {
            self.notify(step, what, scope, &session).await
        } else if step.delete.is_some() {
            self.delete(step, scope, &session).await
        } else if let Some(time) = step.wait {
            self.wait(step, time.0, scope, number).await
        } else if let Some(restart) = &step.restart {
            self.restart(step, restart, scope, number).await
        } else if let Some(sql) = &step.sql {
            self.sql(step, sql, scope, &session).await
        } else if let Some(log) = &step.log {
            self.log(step, log).await
        } else if let Some(parallel) = &step.parallel {
            self.parallel(step, parallel, scope, number).await
        } else if let Some(repeat) = &step.repeat {
            let index = repeat.index.as_deref().unwrap_or("index");
            for round in 0..repeat.times {
                scope.variables.insert(index.to_owned(), round.into());
                self.steps(&step.steps, scope, number).await?;
            }
            Ok(())
        } else if let Some(expire) = &step.expire {
            self.expire(step, expire.id.as_deref(), scope, &session).await
        } else if let Some(by) = step.advance {
            Ok(self.stage.server(step.server).await?.advance(by.0).await?)
        } else {
            self.steps(&step.steps, scope, number).await
        }
    }

    /// Again and again until all steps pass. The last failure is the one that is told.
    async fn wait(&self, step: &Step, patience: Duration, scope: &mut Scope, number: &str) -> Outcome<()> {
        let deadline = Instant::now() + patience;
        loop {
            let mut attempt = scope.clone();
            let Err(failure) = self.steps(&step.steps, &mut attempt, number).await else {
                *scope = attempt;
                return Ok(());
            };
            if Instant::now() >= deadline {
                let message = format!("not within {}: {}", humantime::format_duration(patience), failure.message);
                return Err(Box::new(Failure { message, ..*failure }));
            }
            tokio::time::sleep(REST).await;
        }
    }

    async fn restart(&self, step: &Step, restart: &Restart, scope: &mut Scope, number: &str) -> Outcome<()> {
        let signal = match restart.signal {
            Signal::Kill => ProcessSignal::KILL,
            Signal::Terminate => ProcessSignal::TERM,
        };
        self.stage.server(step.server).await?.stop(signal).await?;
        self.steps(&step.steps, scope, number).await?;
        Ok(self.stage.server(step.server).await?.start_again(restart.args.as_deref()).await?)
    }

    async fn sql(&self, step: &Step, sql: &Sql, scope: &mut Scope, session: &str) -> Outcome<()> {
        let store = self.stage.store()?;
        let is_postgres = matches!(store.location(), Location::Postgres(_));
        let own = if is_postgres { &sql.postgres } else { &sql.sqlite };
        let text = own.as_ref().or(sql.query.as_ref());
        let text = text.ok_or_else(|| Failure::broken("there is no query for this database"))?;
        let view = scope.seen_from(session, self.url(step)?);
        let query = view.sql(text)?;
        let found = store.look(&query).await.map_err(|e| Failure::broken(format!("{e}; in: {query}")))?;
        let rows = json_of(&found);
        let mut wrong = Vec::new();
        if let Some(expected) = &step.expect.rows {
            let expected = expected.iter().map(|row| {
                let text = |value: &Value| Ok(Value::from(as_text(&view.value(value)?)));
                row.iter().map(text).collect::<Result<Vec<Value>, _>>().map(Value::from)
            });
            let expected =
                Value::from(expected.collect::<Result<Vec<_>, crate::selftest::script::template::TemplateError>>()?);
            if expected != rows {
                wrong.push(Mismatch::new(format!("rows of {query}"), told(&expected), told(&rows)));
            }
        }
        for (pointer, condition) in &step.expect.json {
            wrong.extend(super::judge::judge(&format!("rows {pointer}"), &condition.0, rows.pointer(pointer), view)?);
        }
        if !wrong.is_empty() {
            return Err(Failure::mismatched(wrong, None));
        }
        for (name, place) in &step.save {
            let missing = || Failure::wrong(format!("the rows have nothing at {place:?} to save as {name}"));
            scope.variables.insert(name.clone(), rows.pointer(place).cloned().ok_or_else(missing)?);
        }
        Ok(())
    }

    async fn log(&self, step: &Step, log: &Log) -> Outcome<()> {
        let lines = self.stage.server(step.server).await?.log().clone();
        let patience = match (log.absent, step.timeout) {
            (true, _) => Duration::ZERO,
            (false, given) => given.map_or(STEP_TIME, |time| time.0),
        };
        let found = lines.wait_for(0, patience, |line| log.matches.0.is_match(line)).await;
        let wrong = match (&found, log.absent) {
            (None, false) => Mismatch::new("log", format!("a line that matches {}", log.matches.0), "no such line"),
            (Some(line), true) => {
                Mismatch::new("log", format!("no line that matches {}", log.matches.0), line.as_str())
            }
            _ => return Ok(()),
        };
        Err(Failure::mismatched(vec![wrong], None))
    }

    async fn parallel(&self, step: &Step, parallel: &Parallel, scope: &mut Scope, number: &str) -> Outcome<()> {
        let index = parallel.index.as_deref().unwrap_or("index");
        let branch = |place: usize| {
            let mut scope = scope.clone();
            scope.variables.insert(index.to_owned(), place.into());
            async move {
                if parallel.times.is_some() {
                    self.steps(&step.steps, &mut scope, number).await?;
                } else if let Some(one) = step.steps.get(place) {
                    self.step_numbered(one, &mut scope, &format!("{number}{}", place + 1)).await?;
                }
                Ok::<Scope, Box<Failure>>(scope)
            }
        };
        let branches = parallel.times.unwrap_or(step.steps.len());
        for learnt in try_join_all((0..branches).map(branch)).await? {
            scope.merge(learnt);
        }
        Ok(())
    }

    /// As an operator does: in the database, past the server.
    async fn expire(&self, step: &Step, id: Option<&str>, scope: &Scope, session: &str) -> Outcome<()> {
        let store = self.stage.store()?;
        let open = scope.sessions.get(session);
        let view = scope.seen_from(session, self.url(step)?);
        let ahead = self.stage.server(step.server).await?.advanced();
        let at = Clock::default().now().plus(ahead);
        let ending = Ending { reason: EndReason::Operator, by: "selftest", at };
        let unable = |e: crate::store::StoreError| Failure::broken(e.to_string());
        let archon = match id {
            Some(id) => Some(view.text(id)?),
            None => open.and_then(|open| open.archon.clone()),
        };
        if let Some(archon) = archon.as_deref().and_then(|id| id.parse().ok())
            && store.end_archon_session(archon, ending).await.map_err(unable)?
        {
            return Ok(());
        }
        // One that has called no tool has no Archon session yet.
        if let Some(protocol) = open.and_then(|open| open.id.as_deref()).filter(|_| id.is_none())
            && store.end_protocol_session(protocol, ending).await.map_err(unable)?
        {
            return Ok(());
        }
        Err(Failure::wrong("the session was not active"))
    }
}

/// Rows as JSON: texts, NULL as the text `NULL`.
fn json_of(rows: &Rows) -> Value {
    let text = |value: &Option<String>| Value::from(value.as_deref().unwrap_or("NULL"));
    rows.iter().map(|row| row.iter().map(text).collect::<Value>()).collect()
}

/// Rows for people: one a line.
fn told(rows: &Value) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return "no rows".to_owned();
    }
    let line = |row: &Value| row.as_array().into_iter().flatten().map(as_text).collect::<Vec<_>>().join(" | ");
    rows.iter().take(20).map(line).collect::<Vec<_>>().join("\n")
}
