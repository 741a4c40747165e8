//! What the operator chose, kept in a file of the state folder: screen, filters, sorting, interval.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::state::{INTERVALS, State};
use super::view::{ListId, ListState, Tab};
use super::view_model::columns;
use crate::model::private;

/// The file's content. What a later version adds is passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Preferences {
    tab: Tab,
    interval_ms: u64,
    all: bool,
    lists: BTreeMap<Tab, List>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct List {
    filter: String,
    sort: Option<String>,
    descending: bool,
}

impl Preferences {
    /// What is chosen now.
    pub(super) fn of(state: &State) -> Self {
        let list = |tab: Tab| {
            let seen = state.view.lists.get(&ListId::Tab(tab))?;
            let (sort, descending) = seen.sort.unzip();
            let list = List {
                filter: seen.filter.text.clone(),
                sort: sort.map(str::to_owned),
                descending: descending.unwrap_or(false),
            };
            (list != List::default()).then_some((tab, list))
        };
        Self {
            tab: state.view.tab,
            interval_ms: INTERVALS[state.settings.interval.min(INTERVALS.len() - 1)],
            all: state.view.all,
            lists: Tab::ALL.into_iter().filter_map(list).collect(),
        }
    }

    /// Chooses it again. What is no column any more is passed over.
    pub(super) fn apply(&self, state: &mut State) {
        state.view.tab = self.tab;
        state.view.all = self.all;
        let interval = INTERVALS.iter().position(|ms| *ms == self.interval_ms);
        state.settings.interval = interval.unwrap_or(state.settings.interval);
        for (tab, list) in &self.lists {
            let columns = columns(ListId::Tab(*tab));
            let column = list.sort.as_ref().and_then(|key| columns.iter().find(|column| column.key == key));
            let list = ListState {
                filter: Filter::parse(&list.filter),
                sort: column.map(|column| (column.key, list.descending)),
                ..ListState::default()
            };
            state.view.lists.insert(ListId::Tab(*tab), list);
        }
    }

    /// Reads the file; what is not there, or cannot be read, is what a new user has.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            private::make_folder(folder)?;
        }
        private::replace_file(path, &serde_json::to_vec_pretty(self)?)
    }
}
