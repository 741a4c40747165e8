//! Who a request is made for.

use std::sync::Arc;

use uuid::Uuid;

/// Who a bearer token belongs to. Without a token file everybody is [`Principal::anonymous`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name that owns sessions; empty for the anonymous one.
    pub name: Arc<str>,
    /// Fills `user_email`.
    pub email: Option<Arc<str>>,
    /// Fills `user_id`.
    pub id: Option<Uuid>,
}

impl Principal {
    /// Everybody, where tokens are off.
    pub fn anonymous() -> Self {
        Self { name: Arc::from(""), email: None, id: None }
    }
}
