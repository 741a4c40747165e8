//! What a call cost, and which of its words are kept: token counts, prices, captured arguments and answers.

pub mod capture;
pub mod prices;
pub mod tokens;
