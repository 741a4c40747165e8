//! The server's questions that are being answered.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::protocol::frame::{Notification, is_same_id};

/// More than these are not answered at the same time (our bound).
pub(super) const MOST: usize = 16;

/// Questions by a number of our own: the server's id as it came, and the task that answers.
pub(super) type Open = HashMap<u64, (Box<RawValue>, AbortHandle)>;

/// The table of them.
#[derive(Debug, Default)]
pub(super) struct Questions(watch::Sender<Open>);

impl Questions {
    /// Those that are open, now and later.
    pub(super) fn open(&self) -> watch::Receiver<Open> {
        self.0.subscribe()
    }

    /// Whether one more is answered.
    pub(super) fn has_room(&self) -> bool {
        self.0.borrow().len() < MOST
    }

    /// Answers one, in a task of its own. The question is open as long as its place is kept.
    pub(super) fn begin<F>(self: &Arc<Self>, id: &RawValue, answer: impl FnOnce(QuestionGuard) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.send_modify(|open| {
            let number = open.keys().max().map_or(0, |last| last + 1);
            // It cannot end before it is in the table: its end wants the table, too.
            let task = tokio::spawn(answer(QuestionGuard(self.clone(), number)));
            open.insert(number, (id.to_owned(), task.abort_handle()));
        });
    }

    /// The server does not want to know it any more (basic/utilities/cancellation).
    pub(super) fn withdraw(&self, note: &Notification<'_>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled {
            request_id: Box<RawValue>,
        }
        let Some(Ok(which)) = note.params.map(|params| serde_json::from_str::<Cancelled>(params.get())) else { return };
        let open = self.0.borrow();
        let withdrawn = open.values().filter(|(id, _)| is_same_id(id.get(), which.request_id.get()));
        withdrawn.for_each(|(_, task)| task.abort());
    }

    /// Nobody answers any more.
    pub(super) fn end(&self) {
        self.0.send_replace(Open::new()).into_values().for_each(|(_, task)| task.abort());
    }
}

/// The place of a question in the table; whatever ends its task gives it up.
#[derive(Debug)]
pub(super) struct QuestionGuard(Arc<Questions>, u64);

impl Drop for QuestionGuard {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| _ = open.remove(&self.1));
    }
}
