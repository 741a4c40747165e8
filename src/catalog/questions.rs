//! Questions of ours to clients: sampling, elicitation, roots. An answer comes as a message of its own, by any connection of
//! the session, and finds whoever asked by the question's id.

use std::sync::Arc;

use dashmap::DashMap;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Exchange;
use crate::protocol::frame::Response;
use crate::protocol::message;
use crate::protocol::reply::ForeignError;

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Declined {
    /// It has not declared that it answers such questions.
    #[error("the client does not answer {0}")]
    Unsupported(String),
    /// It takes one JSON answer and no stream, or has hung up.
    #[error("the client hears no questions during this call")]
    Unheard,
    /// Its error.
    #[error("the client declined: {}", .0.as_ref().map_or("no reason", |error| &error.message))]
    Refused(Option<ForeignError>),
    /// Nobody wants the call's answer any more.
    #[error("the call was cancelled")]
    Cancelled,
}

/// The questions that wait for an answer.
#[derive(Debug, Default)]
pub struct Questions {
    open: DashMap<Arc<str>, Open>,
}

#[derive(Debug)]
struct Open {
    session: Arc<str>,
    exchange: Arc<Exchange>,
}

/// A question that is open until this is dropped.
struct Asked<'a> {
    questions: &'a Questions,
    id: Arc<str>,
}

impl Questions {
    /// Asks the client of a session, in the course of an exchange, and waits for the answer.
    pub(super) async fn ask<T: Serialize + ?Sized>(
        &self,
        session: &Arc<str>,
        exchange: &Arc<Exchange>,
        method: &str,
        params: &T,
    ) -> Result<Box<RawValue>, Declined> {
        let asked = Asked { questions: self, id: Arc::from(Uuid::new_v4().to_string()) };
        let question = message::request(&asked.id, method, Some(params)).ok_or(Declined::Unheard)?;
        self.open.insert(asked.id.clone(), Open { session: session.clone(), exchange: exchange.clone() });
        let answer = exchange.ask(&asked.id, question).ok_or(Declined::Unheard)?;
        answer.await.map_err(|_| Declined::Unheard)?.map_err(Declined::Refused)
    }

    /// A client answers. `false` when this session was not asked that, or nobody waits any more.
    pub fn answer(&self, session: &str, response: &Response<'_>) -> bool {
        let Some(id) = response.id.and_then(|id| serde_json::from_str::<String>(id.get()).ok()) else { return false };
        // Nobody answers for another session.
        let Some((_, open)) = self.open.remove_if(id.as_str(), |_, open| *open.session == *session) else {
            return false;
        };
        let answered = match response.outcome {
            Ok(result) => Ok(result.to_owned()),
            Err(error) => Err(serde_json::from_str(error.get()).ok()),
        };
        open.exchange.answer(&id, answered)
    }

    /// How many wait.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some((_, open)) = self.questions.open.remove(&self.id) {
            open.exchange.forget(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use serde_json::json;

    use super::*;
    use crate::protocol::frame::{Body, Message, parse};

    fn response(json: &str, with: impl FnOnce(&Response<'_>)) {
        match parse(json.as_bytes()) {
            Ok(Body::Single(Message::Response(response))) => with(&response),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_answer_finds_who_asked_and_only_from_its_session() {
        let (questions, exchange) = (Arc::new(Questions::default()), Arc::new(Exchange::default()));
        let listener = exchange.listen();
        let session: Arc<str> = Arc::from("session-1");
        let asking = {
            let (questions, exchange, session) = (questions.clone(), exchange.clone(), session.clone());
            tokio::spawn(async move { questions.ask(&session, &exchange, "roots/list", &json!({})).await })
        };
        let asked = poll_fn(|context| listener.poll_next(context)).await;
        let asked: serde_json::Value = serde_json::from_slice(&asked).expect("json");
        assert_eq!(asked["method"], "roots/list");
        let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "roots": [] } }).to_string();
        response(&answer, |answer| {
            assert!(!questions.answer("session-2", answer), "somebody else");
            assert!(questions.answer("session-1", answer));
            assert!(!questions.answer("session-1", answer), "twice");
        });
        assert_eq!(asking.await.expect("ends").expect("an answer").get(), r#"{"roots":[]}"#);
        assert_eq!(questions.open(), 0);
    }

    #[tokio::test]
    async fn an_error_is_told_and_a_question_that_is_given_up_is_gone() {
        let (questions, exchange) = (Questions::default(), Arc::new(Exchange::default()));
        let (session, none): (Arc<str>, _) = (Arc::from("session-1"), json!({}));
        let unheard = questions.ask(&session, &exchange, "x", &none).await;
        assert!(matches!(unheard, Err(Declined::Unheard)));
        let listener = exchange.listen();
        let mut asking = Box::pin(questions.ask(&session, &exchange, "x", &none));
        assert!(futures_util::poll!(&mut asking).is_pending());
        let asked = poll_fn(|context| listener.poll_next(context)).await;
        let id = serde_json::from_slice::<serde_json::Value>(&asked).expect("json")["id"].clone();
        let refusal = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -1, "message": "no" } }).to_string();
        response(&refusal, |answer| assert!(questions.answer("session-1", answer)));
        let declined = asking.await.expect_err("declined");
        assert_eq!(declined.to_string(), "the client declined: no");
        let mut asking = Box::pin(questions.ask(&session, &exchange, "x", &none));
        assert!(futures_util::poll!(&mut asking).is_pending());
        assert_eq!(questions.open(), 1);
        drop(asking);
        assert_eq!(questions.open(), 0);
    }
}
