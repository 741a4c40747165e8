//! What is written about requests, by the operator's choice.

use crate::accounting::capture::Capture;
use crate::accounting::prices::PriceTable;
use crate::accounting::tokens::TokenCounter;

/// What is written about requests.
#[derive(Debug)]
pub struct Tracking {
    /// Whether a row is written at all.
    pub on: bool,
    /// How tokens are counted.
    pub tokens: TokenCounter,
    /// What they cost, if the operator says so.
    pub prices: Option<PriceTable>,
    /// Whose words are kept.
    pub capture: Capture,
}
