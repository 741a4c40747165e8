//! Requests that nobody waits for any more: their caller was told to stop before the answer came.

use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

/// More than these the server is not told of: it finds out by itself.
const MOST: usize = 1000;

/// Those that the server has not been told of.
#[derive(Debug, Default)]
pub(super) struct Abandoned(Mutex<Vec<(u64, HeaderMap)>>);

impl Abandoned {
    /// Watches over a request with that id and those headers. Unless it comes to its [`Waiting::end`], it is abandoned.
    pub(super) fn wait<'a>(&'a self, id: u64, headers: &'a HeaderMap) -> Waiting<'a> {
        Waiting { abandoned: self, id, headers: Some(headers) }
    }

    /// Takes them out: ids, and the headers that they were sent with.
    pub(super) fn take(&self) -> Vec<(u64, HeaderMap)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request whose answer somebody waits for.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    abandoned: &'a Abandoned,
    id: u64,
    headers: Option<&'a HeaderMap>,
}

impl Waiting<'_> {
    /// The wait has ended in the usual way.
    pub(super) fn end(mut self) {
        self.headers = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(headers) = self.headers else { return };
        let mut held = self.abandoned.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < MOST {
            held.push((self.id, headers.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_waited_for_is_named_once() {
        let (abandoned, headers) = (Abandoned::default(), HeaderMap::new());
        abandoned.wait(1, &headers).end();
        drop(abandoned.wait(2, &headers));
        let taken = |a: &Abandoned| a.take().into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!((taken(&abandoned), taken(&abandoned)), (vec![2], vec![]));
        (0..2000).for_each(|id| drop(abandoned.wait(id, &headers)));
        assert_eq!(abandoned.take().len(), MOST);
    }
}
