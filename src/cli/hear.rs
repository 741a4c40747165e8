//! What a server says while a tool runs: progress and log messages on standard error; its questions go to [`Elicit`].

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::client::{Answering, Listener};
use crate::protocol::frame::{Notification, Request};

use super::board::Board;
use super::elicit::{Elicit, Form, Manner};

/// The ears of a command.
#[derive(Debug)]
pub(super) struct Hear {
    board: Arc<Board>,
    elicit: Arc<Elicit>,
}

impl Hear {
    /// With that board, and questions of the server answered in that manner.
    pub(super) fn new(board: Board, manner: Manner) -> Self {
        let board = Arc::new(board);
        Self { elicit: Arc::new(Elicit::new(manner, board.clone())), board }
    }

    /// Nothing more is shown in place: what comes next on the terminal is the command's.
    pub(super) fn end(&self) {
        self.board.end();
    }
}

impl Listener for Hear {
    fn capabilities(&self) -> Map<String, Value> {
        // Empty means forms, to servers of every revision that has it.
        let offered = self.elicit.is_offered().then(|| ("elicitation".to_owned(), json!({})));
        offered.into_iter().collect()
    }

    fn notified(&self, note: &Notification<'_>) {
        let Some(params) = note.params.and_then(|params| serde_json::from_str::<Value>(params.get()).ok()) else {
            return;
        };
        match note.method.as_ref() {
            "notifications/progress" => progress(&params).iter().for_each(|text| self.board.progress(text)),
            "notifications/message" => self.board.print_note(&log(&params)),
            // -v names it.
            _ => {}
        }
    }

    fn asked(&self, question: &Request<'_>) -> Option<Answering> {
        if question.method != "elicitation/create" {
            return None;
        }
        let (form, elicit) = (Form::read(question.params), self.elicit.clone());
        Some(Box::pin(async move { Ok(elicit.answer(&form?).await) }))
    }
}

/// `progress: 3/10 counting`; `None` where it does not say how far it is.
fn progress(params: &Value) -> Option<String> {
    let done = params["progress"].as_f64()?;
    let total = params["total"].as_f64().map(|total| format!("/{total}")).unwrap_or_default();
    let message = params["message"].as_str().map(|message| format!(" {message}")).unwrap_or_default();
    Some(format!("progress: {done}{total}{message}"))
}

/// `WARNING database: slow`.
fn log(params: &Value) -> String {
    let level = params["level"].as_str().unwrap_or("info").to_uppercase();
    let logger = params["logger"].as_str().map(|logger| format!(" {logger}")).unwrap_or_default();
    let text = params["data"].as_str().map_or_else(|| params["data"].to_string(), str::to_owned);
    format!("{level}{logger}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_known() {
        for (params, expected) in [
            (json!({"progress": 3, "total": 10, "message": "counting"}), Some("progress: 3/10 counting")),
            (json!({"progress": 0.25, "total": 1.0}), Some("progress: 0.25/1")),
            (json!({"progress": 7, "total": null, "message": 1}), Some("progress: 7")),
            (json!({"total": 10}), None),
            (json!([]), None),
        ] {
            assert_eq!(progress(&params).as_deref(), expected, "{params}");
        }
    }

    #[test]
    fn a_log_message_is_a_line() {
        for (params, expected) in [
            (json!({"level": "warning", "logger": "database", "data": "slow"}), "WARNING database: slow"),
            (json!({"level": "info", "data": {"rows": 3}}), r#"INFO: {"rows":3}"#),
            (json!({"data": null}), "INFO: null"),
        ] {
            assert_eq!(log(&params), expected);
        }
    }
}
