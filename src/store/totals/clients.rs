//! The clients that a day's sums tell apart. A client says any name; beyond a number of them a day the others share one.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use crate::model::client_type;
use crate::model::label::OTHER;
use crate::model::timestamp::Timestamp;

/// The number of names a day; programs that we know have theirs whatever others do.
pub(in crate::store) const CLIENTS_A_DAY: usize = 200;
/// Rows come a little late, and those of a boot that died much later: this many days are remembered.
const DAYS: usize = 3;

static OTHERS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(OTHER));

/// Who was named on the last days.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// The day that was last asked for comes last.
    days: Vec<(Timestamp, HashSet<Arc<str>>)>,
}

impl Clients {
    /// The name under which a client's calls of that day are summed.
    pub(super) fn label(&mut self, day: Timestamp, name: Arc<str>) -> Arc<str> {
        let names = self.of(day);
        if names.contains(&name) {
            return name;
        }
        if names.len() >= CLIENTS_A_DAY && !client_type::is_known(&name) {
            return OTHERS.clone();
        }
        names.insert(name.clone());
        name
    }

    /// What the sums of that day tell apart already.
    pub(super) fn know(&mut self, day: Timestamp, names: impl IntoIterator<Item = String>) {
        self.of(day).extend(names.into_iter().map(Arc::from));
    }

    fn of(&mut self, day: Timestamp) -> &mut HashSet<Arc<str>> {
        match self.days.iter().rposition(|(known, _)| *known == day) {
            // Nearly always the last.
            Some(at) if at + 1 == self.days.len() => {}
            Some(at) => self.days[at..].rotate_left(1),
            None => {
                if self.days.len() >= DAYS {
                    self.days.remove(0);
                }
                self.days.push((day, HashSet::new()));
            }
        }
        let last = self.days.len() - 1;
        &mut self.days[last].1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Timestamp = Timestamp::from_millis(1_768_003_200_000);

    #[test]
    fn names_beyond_a_days_number_share_one() {
        let mut clients = Clients::default();
        clients.know(DAY, ["of-before".to_owned()]);
        let mut labels = |day, from, to| -> HashSet<Arc<str>> {
            (from..to).map(|n: usize| clients.label(day, format!("client-{n}").into())).collect()
        };
        let first = labels(DAY, 0, 2 * CLIENTS_A_DAY);
        assert_eq!(first.len(), CLIENTS_A_DAY, "with one that was known, and those without a name of their own");
        assert!(first.contains(OTHER));
        assert_eq!(labels(DAY, 0, 2), ["client-0", "client-1"].map(Arc::from).into(), "who has a name keeps it");
        for day in 1..10 {
            let day = DAY.plus(Duration::from_hours(24 * day));
            assert_eq!(labels(day, 500, 502).len(), 2, "a new day");
        }
        assert_eq!(clients.days.len(), DAYS);
        let day = DAY.plus(Duration::from_hours(24 * 9));
        for n in 0..CLIENTS_A_DAY {
            clients.label(day, format!("{n}").into());
        }
        assert_eq!(&*clients.label(day, "Claude Code".into()), "Claude Code", "a program that we know");
        assert_eq!(&*clients.label(day, "of-before".into()), OTHER);
    }
}
