//! A column, and what has columns.

use super::Cell;
use crate::model::timestamp::Timestamp;

/// What stands above a column, and what becomes of the column where there is little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its name in filters, in sorting and in files.
    pub key: &'static str,
    /// What is written above it.
    pub title: &'static str,
    /// Narrower than this it says nothing; a command never cuts a column whose least width is 0.
    pub least: usize,
    /// The dashboard makes it no wider than this.
    pub most: usize,
    /// Where there is no room for all, the highest rank goes first; 0 stays longest.
    pub rank: u8,
    /// Figures stand to the right.
    pub right: bool,
}

/// A column of a list of such things.
pub struct Column<T: Listed> {
    /// What stands above it.
    pub head: Head,
    /// What stands in it.
    pub cell: fn(&T, &T::Context) -> Cell,
}

/// A thing that stands in lists.
pub trait Listed: Sized + 'static {
    /// What cells need besides the thing itself. Of a command it is the moment, and what follows from that.
    type Context: From<Timestamp>;

    /// The list's name in a JSON document; empty where it is in none.
    const LIST: &'static str = "";
    /// The columns of a command's table.
    const TABLE: &'static [Column<Self>] = &[];
    /// The columns of the dashboard's screen.
    const SCREEN: &'static [Column<Self>] = &[];

    /// The members of the thing's JSON object in their order, which are the columns of CSV.
    fn members() -> &'static [&'static str] {
        &[]
    }
}

impl Head {
    /// Above a text.
    pub const fn text(key: &'static str, title: &'static str, least: usize, rank: u8) -> Self {
        Self { key, title, least, most: usize::MAX, rank, right: false }
    }

    /// Above a figure: it is never cut, because it would be another figure.
    pub const fn figure(key: &'static str, title: &'static str, rank: u8) -> Self {
        Self { key, title, least: 0, most: 12, rank, right: true }
    }
}

impl<T: Listed> Column<T> {
    /// A column of texts.
    pub const fn text(
        key: &'static str,
        title: &'static str,
        least: usize,
        rank: u8,
        cell: fn(&T, &T::Context) -> Cell,
    ) -> Self {
        Self { head: Head::text(key, title, least, rank), cell }
    }

    /// A column of texts that the dashboard makes no wider than `most`.
    pub const fn within(
        key: &'static str,
        title: &'static str,
        (least, most): (usize, usize),
        rank: u8,
        cell: fn(&T, &T::Context) -> Cell,
    ) -> Self {
        Self { head: Head { most, ..Head::text(key, title, least, rank) }, cell }
    }

    /// A column of figures.
    pub const fn figure(key: &'static str, title: &'static str, rank: u8, cell: fn(&T, &T::Context) -> Cell) -> Self {
        Self { head: Head::figure(key, title, rank), cell }
    }

    /// The same under another title.
    #[must_use]
    pub const fn titled(mut self, title: &'static str) -> Self {
        self.head.title = title;
        self
    }
}

impl<T: Listed> Clone for Column<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Listed> Copy for Column<T> {}

impl<T: Listed> std::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Column").field(&self.head).finish()
    }
}
