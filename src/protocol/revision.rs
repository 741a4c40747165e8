//! The revisions of MCP that we speak, and how one is agreed on.

/// A revision of the legacy era: `initialize` and `Mcp-Session-Id`. Ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05, its version string over Streamable HTTP (not its two-endpoint transport).
    V2024_11_05,
    /// 2025-03-26: the one with batches.
    V2025_03_26,
    /// 2025-06-18: structured tool output, the version header.
    V2025_06_18,
    /// 2025-11-25: the last with sessions.
    V2025_11_25,
}

/// The first revision without sessions. We do not speak it yet.
pub const FIRST_MODERN: &str = "2026-07-28";

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];
    /// What we offer to a client that asks for something we do not know.
    pub const LATEST: Self = Self::V2025_11_25;

    /// The version string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
        }
    }

    /// The revision of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }

    /// What `initialize` answers: the same if we speak it, else our latest (basic/lifecycle, version negotiation).
    pub fn negotiate(asked: &str) -> Self {
        Self::parse(asked).unwrap_or(Self::LATEST)
    }

    /// Only 2025-03-26 has JSON-RPC batches.
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// `structuredContent`, `outputSchema` and `title` came with 2025-06-18.
    pub fn has_structured_output(self) -> bool {
        self >= Self::V2025_06_18
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a version string claims the modern era: a date at or after [`FIRST_MODERN`].
pub fn is_modern(version: &str) -> bool {
    let bytes = version.as_bytes();
    let dated = bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    dated && version >= FIRST_MODERN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiates_the_same_or_the_latest() {
        for revision in Revision::ALL {
            assert_eq!(Revision::negotiate(revision.as_str()), revision);
        }
        assert_eq!(Revision::negotiate("2026-07-28"), Revision::LATEST, "a modern version is never echoed");
        assert_eq!(Revision::negotiate("nonsense"), Revision::LATEST);
    }

    #[test]
    fn knows_a_modern_claim() {
        assert!(is_modern("2026-07-28") && is_modern("2027-01-01"));
        assert!(!is_modern("2025-11-25") && !is_modern("zzzz") && !is_modern("9999-99-9x"));
    }
}
