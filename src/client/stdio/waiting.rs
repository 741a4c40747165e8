//! Who waits for which message of a server that sends them all on one pipe.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::super::answer::number;

/// Messages that wait to be heard.
const QUEUE: usize = 16;

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    inboxes: BTreeMap<u64, mpsc::Sender<Box<RawValue>>>,
    /// Nothing comes any more.
    is_closed: bool,
    /// The limit that a line was larger than.
    outgrown: Option<usize>,
}

/// Where a message goes.
#[derive(Debug)]
pub(super) enum Routed {
    /// To a request that waits.
    To(mpsc::Sender<Box<RawValue>>),
    /// It wants an answer, and no request waits.
    Question { id: Box<RawValue>, method: String },
    /// It is for nobody.
    Nowhere,
}

/// The messages for one request.
#[derive(Debug)]
pub(in crate::client) struct Inbox {
    id: u64,
    waiting: Arc<Waiting>,
    messages: mpsc::Receiver<Box<RawValue>>,
}

impl Inbox {
    /// The next one; `None` when the server has ended.
    pub(in crate::client) async fn next(&mut self) -> Option<Box<RawValue>> {
        self.messages.recv().await
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.waiting.state().inboxes.remove(&self.id);
    }
}

#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

impl Waiting {
    /// From now on the request of that id waits.
    pub(super) fn wait(self: &Arc<Self>, id: u64) -> Inbox {
        let (sender, messages) = mpsc::channel(QUEUE);
        let mut state = self.state();
        if !state.is_closed {
            state.inboxes.insert(id, sender);
        }
        Inbox { id, waiting: self.clone(), messages }
    }

    /// Where a message goes: an answer to its request, progress to the request that it is of, and all else, which names
    /// none, to the one that was sent last.
    pub(super) fn route(&self, message: &RawValue) -> Routed {
        // Serde takes a list for the members in their order.
        let peek = Some(message.get()).filter(|text| text.starts_with('{'));
        let Some(Ok(peek)) = peek.map(serde_json::from_str::<Peek<'_>>) else { return Routed::Nowhere };
        let state = self.state();
        let last = || state.inboxes.last_key_value().map(|(_, inbox)| inbox.clone());
        let of = |id: u64| state.inboxes.get(&id).cloned();
        let found = match (&peek.method, peek.id.filter(|id| id.get() != "null")) {
            (None, Some(id)) => number(id).and_then(of),
            // A server that could not read a request does not know its id.
            (None, None) => last(),
            (Some(_), _) => peek.params.and_then(progress_of).and_then(of).or_else(last),
        };
        match (found, peek.method, peek.id) {
            (Some(inbox), ..) => Routed::To(inbox),
            (None, Some(method), Some(id)) => Routed::Question { id: id.to_owned(), method: method.into_owned() },
            (None, ..) => Routed::Nowhere,
        }
    }

    /// Nothing comes any more: whoever waits waits in vain.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.inboxes.clear();
    }

    /// A line was larger than that.
    pub(super) fn outgrow(&self, limit: usize) {
        self.state().outgrown = Some(limit);
    }

    /// The limit that a line was larger than.
    pub(super) fn outgrown(&self) -> Option<usize> {
        self.state().outgrown
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request whose progress a message tells: its token is its id.
fn progress_of(params: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Progress<'a> {
        #[serde(borrow)]
        progress_token: &'a RawValue,
    }
    number(serde_json::from_str::<Progress<'_>>(params.get()).ok()?.progress_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn each_message_finds_its_request() {
        let waiting = Arc::new(Waiting::default());
        let (mut one, mut two) = (waiting.wait(1), waiting.wait(2));
        let token = |token: Value| json!({"method": "notifications/progress", "params": {"progressToken": token}});
        for (message, of) in [
            (json!({"id": 1, "result": {}}), Some(1)),
            (json!({"id": "2", "error": {}}), Some(2)),
            (json!({"id": null, "error": {}}), Some(2)),
            (json!({"id": 3, "result": {}}), None),
            (token(json!(1)), Some(1)),
            (token(json!("else")), Some(2)),
            (json!({"method": "notifications/message"}), Some(2)),
            (json!({"id": 1, "method": "ping"}), Some(2)),
            (json!([1]), None),
        ] {
            let raw = RawValue::from_string(message.to_string()).expect("JSON");
            match (waiting.route(&raw), of) {
                (Routed::To(inbox), Some(of)) => {
                    inbox.send(raw.clone()).await.expect("somebody waits");
                    let got = if of == 1 { one.next().await } else { two.next().await };
                    assert_eq!(got.map(|got| got.get().to_owned()), Some(raw.get().to_owned()), "{message}");
                }
                (Routed::Nowhere, None) => {}
                (routed, _) => panic!("{message}: {routed:?}"),
            }
        }
        drop(two);
        waiting.close();
        assert!(one.next().await.is_none() && waiting.wait(3).next().await.is_none());
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_known_as_one() {
        let ping = RawValue::from_string(r#"{"id": "p", "method": "ping"}"#.to_owned()).expect("JSON");
        assert!(matches!(Waiting::default().route(&ping), Routed::Question { method, .. } if method == "ping"));
    }
}
