//! What a parser cannot see: steps with two things to do, variables that nobody saved, needs that are not told, loops
//! beyond measure. All of it before anything runs.

mod variables;

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::format::Scenario;
use super::place::Text;
use super::step::{KINDS, Step};
use super::template::{self};
use super::{ScriptError, nearest};

/// Steps within steps within steps.
const MAX_DEPTH: usize = 6;
/// Steps that a scenario may come to, all rounds and branches counted.
const MAX_STEPS: u64 = 100_000;
/// Branches that run at the same time.
const MAX_BRANCHES: usize = 1000;

/// What every scenario knows.
const STANDING: [&str; 3] = ["url", "address", "run"];
/// What every session knows of itself, as `session.id` or, by its name, `main.id`.
const OF_A_SESSION: [&str; 3] = ["id", "archon", "revision"];

/// Checks a scenario whose file could be read.
pub(super) fn check(scenario: &Scenario, document: &DeTable<'_>, text: &Text<'_>) -> Result<(), ScriptError> {
    let at = |key: &str| document.get(key).map_or(0..0, Spanned::span);
    if scenario.name.trim().is_empty() {
        return Err(text.error(at("name"), "the name is empty; it is the promise, as a sentence", None));
    }
    if scenario.step.is_empty() {
        return Err(text.error(at("step"), "there are no steps", None));
    }
    if scenario.server.is_special() && !scenario.needs.own_server {
        let hint = Some("add own_server = true under [needs]".to_owned());
        return Err(text.error(at("server"), "[server] is for our own server", hint));
    }
    if scenario.server.servers() > 1 && scenario.needs.database != Some(super::format::DatabaseKind::Postgres) {
        let hint = Some("add database = \"postgres\" under [needs]".to_owned());
        return Err(text.error(at("server"), "several servers need PostgreSQL", hint));
    }
    let mut checker = Checker { scenario, text, known: BTreeSet::new(), sessions: BTreeSet::new() };
    checker.known.extend(STANDING.map(str::to_owned));
    let tables = document.get("step").and_then(|steps| steps.get_ref().as_array());
    let total = checker.steps(&scenario.step, tables.map(|t| &t[..]).unwrap_or_default(), 1)?;
    if total > MAX_STEPS {
        let message = format!("the scenario has {total} steps; the maximum is {MAX_STEPS}");
        return Err(text.error(at("step"), message, None));
    }
    Ok(())
}

struct Checker<'a> {
    scenario: &'a Scenario,
    text: &'a Text<'a>,
    /// Variables that are saved by now.
    known: BTreeSet<String>,
    /// Sessions that are open by now, under names without variables in them.
    sessions: BTreeSet<String>,
}

impl Checker<'_> {
    fn fail<T>(&self, at: &Range<usize>, message: impl Into<String>, hint: Option<String>) -> Result<T, ScriptError> {
        Err(self.text.error(at.clone(), message, hint))
    }

    /// Checks steps in their order; returns how many they come to.
    fn steps(&mut self, steps: &[Step], tables: &[Spanned<DeValue<'_>>], depth: usize) -> Result<u64, ScriptError> {
        let mut total: u64 = 0;
        for (step, table) in steps.iter().zip(tables) {
            let at = first_line(table);
            if depth > MAX_DEPTH {
                return self.fail(&at, format!("steps are nested at most {MAX_DEPTH} deep"), None);
            }
            let Some(table) = table.get_ref().as_table() else { continue };
            total = total.saturating_add(self.step(step, table, &at, depth)?);
        }
        Ok(total)
    }

    fn step(&mut self, step: &Step, table: &DeTable<'_>, at: &Range<usize>, depth: usize) -> Result<u64, ScriptError> {
        self.one_kind(step, at)?;
        self.needs(step, at)?;
        self.shape(step, at)?;
        let opens = step.initialize.is_some();
        let session = step.session.as_deref().unwrap_or("main");
        let goes_on = step.call.as_ref().is_some_and(|call| call.http.is_none())
            || step.notify.is_some()
            || step.delete.is_some()
            || step.expire.as_ref().is_some_and(|expire| expire.id.is_none());
        if (goes_on || (step.session.is_some() && !opens))
            && !session.contains("${")
            && !self.sessions.contains(session)
        {
            let hint = nearest(session, self.sessions.iter().map(String::as_str))
                .or_else(|| Some("a step with initialize opens it".to_owned()));
            return self.fail(at, format!("no session {session:?} is open here"), hint);
        }
        let index = loop_index(step);
        let outer = index.filter(|index| self.known.insert((*index).to_owned()));
        self.strings(step, table)?;
        if opens && !session.contains("${") {
            self.sessions.insert(session.to_owned());
        }
        let within = table.get("do").and_then(|steps| steps.get_ref().as_array());
        let before = self.known.clone();
        let inner = self.steps(&step.steps, within.map(|t| &t[..]).unwrap_or_default(), depth + 1)?;
        let branches = step.parallel.as_ref().and_then(|p| p.times);
        if branches.is_some() {
            // Each branch has its own; which one would be meant afterwards?
            self.known = before;
        }
        if let Some(index) = outer {
            self.known.remove(index);
        }
        self.known.extend(step.save.keys().cloned());
        let times = step.repeat.as_ref().map(|repeat| repeat.times).or(branches).unwrap_or(1);
        Ok(inner.saturating_mul(times as u64).saturating_add(1))
    }

    /// Exactly one thing to do.
    fn one_kind(&self, step: &Step, at: &Range<usize>) -> Result<(), ScriptError> {
        match step.kinds().as_slice() {
            [] if step.steps.is_empty() => {
                self.fail(at, "the step does nothing", Some(format!("give it one of {}", KINDS.join(", "))))
            }
            [] | [_] => Ok(()),
            several => self.fail(
                at,
                format!("the step does {} things: {}", several.len(), several.join(", ")),
                Some("make it several steps".to_owned()),
            ),
        }
    }

    /// What a step needs, the scenario says.
    fn needs(&self, step: &Step, at: &Range<usize>) -> Result<(), ScriptError> {
        let needs = &self.scenario.needs;
        let missing = [
            (step.advance.is_some() || step.log.is_some(), needs.own_server, "own_server"),
            (step.restart.is_some(), needs.restart || needs.own_server, "restart"),
            (step.restart.as_ref().is_some_and(|r| r.args.is_some()), needs.own_server, "own_server"),
            (step.expire.is_some(), needs.own_server, "own_server"),
            (step.sql.is_some() || step.expire.is_some(), needs.store, "store"),
        ];
        for (used, told, need) in missing {
            if used && !told {
                let hint = Some(format!("add {need} = true under [needs]"));
                return self.fail(at, format!("{} needs {need}", step.kinds().join("")), hint);
            }
        }
        if step.server >= self.scenario.server.servers() {
            let message = format!("there is no server {}: the first is 0", step.server);
            return self.fail(at, message, Some("set count under [server]".to_owned()));
        }
        Ok(())
    }

    /// What belongs to a kind is there, and what belongs to another is not.
    fn shape(&self, step: &Step, at: &Range<usize>) -> Result<(), ScriptError> {
        let has_steps = !step.steps.is_empty();
        let loops = step.wait.is_some() || step.parallel.is_some() || step.repeat.is_some();
        if loops && !has_steps {
            return self.fail(at, format!("{} has no steps under do", step.kinds().join("")), None);
        }
        if has_steps && !loops && step.restart.is_none() && !step.kinds().is_empty() {
            return self.fail(at, format!("{} takes no steps under do", step.kinds().join("")), None);
        }
        if step.sql.is_none() && step.expect.rows.is_some() {
            return self.fail(at, "rows are expected of sql alone", None);
        }
        let asks = step.initialize.is_some() || step.call.is_some() || step.notify.is_some() || step.delete.is_some();
        let of_http = &step.expect;
        if !asks && (of_http.status.is_some() || !of_http.headers.is_empty() || of_http.body.is_some()) {
            return self.fail(at, "only an HTTP answer has a status, headers and a body", None);
        }
        let answers = asks || step.sql.is_some();
        if !(answers || step.save.is_empty() && of_http.json.is_empty()) {
            return self.fail(at, "this step has no answer to look at", None);
        }
        if let Some(sql) = &step.sql
            && sql.query.is_none()
            && (sql.sqlite.is_none() || sql.postgres.is_none())
        {
            return self.fail(at, "sql has a query, or one for sqlite and one for postgres", None);
        }
        if let Some(call) = &step.call {
            let ways = [call.method.is_some(), call.tool.is_some(), call.http.is_some()];
            if ways.into_iter().filter(|way| *way).count() != 1 {
                return self.fail(at, "a call has exactly one of method, tool and http", None);
            }
        }
        self.bounded(step, at)
    }

    fn bounded(&self, step: &Step, at: &Range<usize>) -> Result<(), ScriptError> {
        let branches = step.parallel.as_ref().and_then(|p| p.times).unwrap_or(1);
        if !(1..=MAX_BRANCHES).contains(&branches) {
            return self.fail(at, format!("parallel takes 1 to {MAX_BRANCHES} branches"), None);
        }
        if step.repeat.as_ref().is_some_and(|repeat| repeat.times == 0) {
            return self.fail(at, "what is repeated 0 times checks nothing", None);
        }
        Ok(())
    }

    /// Every variable in a text of the step is known, and every place to save from is one.
    fn strings(&self, step: &Step, table: &DeTable<'_>) -> Result<(), ScriptError> {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "do" | "name" | "log" => {}
                "save" => self.places(value)?,
                "expect" => {
                    self.variables_in(step, value)?;
                    self.pointers(value)?;
                }
                _ => self.variables_in(step, value)?,
            }
        }
        Ok(())
    }

    fn places(&self, save: &Spanned<DeValue<'_>>) -> Result<(), ScriptError> {
        for (name, value) in save.get_ref().as_table().into_iter().flatten() {
            let (name, place) = (name.get_ref(), value.get_ref().as_str().unwrap_or_default());
            if !template::is_name(name) || STANDING.contains(&name.as_ref()) || name.as_ref() == "session" {
                let hint = Some("a name is letters, digits and _, and none of url, address, run, session".to_owned());
                return self.fail(&value.span(), format!("{name:?} is not a name for a variable"), hint);
            }
            let is_place = place.is_empty()
                || place.starts_with('/')
                || place.starts_with("header:")
                || matches!(place, "status" | "body");
            if !is_place {
                let hint = "write /json/pointer, header:NAME, status or body".to_owned();
                return self.fail(&value.span(), format!("{place:?} is not a place in an answer"), Some(hint));
            }
        }
        Ok(())
    }

    fn pointers(&self, expect: &Spanned<DeValue<'_>>) -> Result<(), ScriptError> {
        let json = expect.get_ref().as_table().and_then(|table| table.get("json"));
        for (pointer, value) in json.and_then(|json| json.get_ref().as_table()).into_iter().flatten() {
            if !pointer.get_ref().is_empty() && !pointer.get_ref().starts_with('/') {
                let message = format!("{:?} is no JSON pointer", pointer.get_ref());
                return self.fail(&value.span(), message, Some(format!("write \"/{}\"", pointer.get_ref())));
            }
        }
        Ok(())
    }
}

/// The variable that counts the rounds or branches of a step.
fn loop_index(step: &Step) -> Option<&str> {
    let given = match (&step.parallel, &step.repeat) {
        (Some(parallel), _) => parallel.index.as_deref(),
        (None, Some(repeat)) => repeat.index.as_deref(),
        (None, None) => return None,
    };
    Some(given.unwrap_or("index"))
}

/// The span of a table covers all of it; its beginning says where.
fn first_line(table: &Spanned<DeValue<'_>>) -> Range<usize> {
    let keys = table.get_ref().as_table().into_iter().flatten().map(|(key, _)| key.span());
    keys.min_by_key(|span| span.start).unwrap_or_else(|| table.span())
}
