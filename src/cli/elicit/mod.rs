//! Elicitation: a server asks the person in front of the client for input, by a form (client/elicitation).

mod dialogue;
mod field;
mod form;
mod outcome;

use std::io::IsTerminal;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::io::{AsyncBufRead, BufReader, Stdin, stdin};
use tokio::sync::Mutex;

use super::board::Board;
use dialogue::Dialogue;
pub(super) use form::Form;
use outcome::Outcome;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The person at the terminal.
    Person,
    /// Nobody: the defaults of the form are the answer.
    Defaults,
    /// Nobody: the answer is no.
    Nobody,
}

impl Manner {
    /// Whether there is a person: who types, and sees what is asked.
    pub(super) fn found() -> Self {
        let is_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if is_there { Self::Person } else { Self::Nobody }
    }
}

/// Answers forms, one after the other.
#[derive(Debug)]
pub(super) struct Elicit {
    manner: Manner,
    board: Arc<Board>,
    /// What is typed. One reader for all forms: what it has read ahead belongs to the next.
    typed: Mutex<BufReader<Stdin>>,
}

impl Elicit {
    pub(super) fn new(manner: Manner, board: Arc<Board>) -> Self {
        Self { manner, board, typed: Mutex::new(BufReader::new(stdin())) }
    }

    /// Whether a server is told that it may ask.
    pub(super) fn is_offered(&self) -> bool {
        self.manner != Manner::Nobody
    }

    /// The result for the server.
    pub(super) async fn answer(&self, form: &Form) -> Value {
        let outcome = match self.manner {
            Manner::Person => {
                let mut typed = self.typed.lock().await;
                let _typing = self.board.make_room();
                ask(form, &mut *typed).await
            }
            Manner::Defaults => self.say(form, form.defaults().ok_or("a required field has no default")),
            Manner::Nobody => {
                self.say(form, Err("nobody is at a terminal; --accept-defaults answers with the defaults"))
            }
        };
        outcome.result()
    }

    /// What nobody was asked for is said at least.
    fn say(&self, form: &Form, answer: Result<Map<String, Value>, &str>) -> Outcome {
        let message = &form.message;
        match answer {
            Ok(content) => {
                self.board.print_note(&format!("note: the server asks: {message}; answered with its defaults"));
                Outcome::Accept(content)
            }
            Err(why) => {
                self.board.print_note(&format!("note: the server asks: {message}; declined, because {why}"));
                Outcome::Decline
            }
        }
    }
}

async fn ask(form: &Form, typed: &mut (impl AsyncBufRead + Unpin)) -> Outcome {
    // Where standard error cannot be written nobody sees the question.
    Dialogue::new(form, typed, std::io::stderr()).run().await.unwrap_or(Outcome::Cancel)
}
