//! Tools, resources and prompts for tests of the server around them; served only on demand (`serve --test-tools`).

mod plain;
mod reading;
mod talking;

use std::sync::Arc;

use super::Typed;
use crate::catalog::Catalog;
use crate::session::Sessions;

/// The catalogue with everything that tests call, read and pick.
#[must_use]
pub fn add_to(catalog: Catalog, sessions: &Arc<Sessions>) -> Catalog {
    catalog
        .with(Typed::new(plain::Echo))
        .with(Typed::new(plain::Sleep))
        .with(Typed::new(plain::Fail))
        .with(Typed::new(plain::Panic))
        .with(Typed::new(plain::Break(sessions.clone())))
        .with(Typed::new(talking::Progress))
        .with(Typed::new(talking::Log))
        .with(Typed::new(talking::Ask))
        .with(talking::Contents)
        .with_resource(reading::Page)
        .with_template(reading::Pages)
        .with_prompt(reading::Greeting)
}
