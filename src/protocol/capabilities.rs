//! What a client says that it can do (basic/lifecycle, capability negotiation).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The questions that a client answers; a server asks no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// It lists its roots (`roots/list`).
    pub roots: bool,
    /// It asks its model (`sampling/createMessage`).
    pub sampling: bool,
    /// It asks its user (`elicitation/create`).
    pub elicitation: bool,
}

#[derive(Deserialize)]
struct Stated {
    roots: Option<IgnoredAny>,
    sampling: Option<IgnoredAny>,
    elicitation: Option<IgnoredAny>,
}

impl ClientCapabilities {
    /// Reads the `capabilities` of `initialize`. What is no object states nothing.
    pub fn read(raw: Option<&RawValue>) -> Self {
        let stated = raw.and_then(|raw| serde_json::from_str::<Stated>(raw.get()).ok());
        stated.map_or_else(Self::default, |stated| Self {
            roots: stated.roots.is_some(),
            sampling: stated.sampling.is_some(),
            elicitation: stated.elicitation.is_some(),
        })
    }

    /// The same as JSON, without all that a client says besides.
    pub fn to_json(self) -> String {
        let named = [("roots", self.roots), ("sampling", self.sampling), ("elicitation", self.elicitation)];
        let stated: Vec<_> = named.iter().filter(|(_, is)| *is).map(|(name, _)| format!("\"{name}\":{{}}")).collect();
        format!("{{{}}}", stated.join(","))
    }

    /// Whether it answers questions of this method.
    pub fn answers(self, method: &str) -> bool {
        match method {
            "roots/list" => self.roots,
            "sampling/createMessage" => self.sampling,
            "elicitation/create" => self.elicitation,
            "ping" => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> ClientCapabilities {
        let raw = RawValue::from_string(json.to_owned()).expect("json");
        ClientCapabilities::read(Some(&raw))
    }

    #[test]
    fn what_is_there_is_stated() {
        let all = read(r#"{"elicitation":{},"sampling":{"tools":{}},"roots":{"listChanged":true},"x":1}"#);
        assert!(all.roots && all.sampling && all.elicitation);
        assert!(all.answers("elicitation/create") && !all.answers("elicitation/other"));
        assert_eq!(all.to_json(), r#"{"roots":{},"sampling":{},"elicitation":{}}"#);
        assert_eq!(read(&all.to_json()), all);
        assert_eq!(ClientCapabilities::default().to_json(), "{}");
        let some = read(r#"{"sampling":{},"roots":null}"#);
        assert!(some.sampling && !some.roots && some.answers("ping") && !some.answers("roots/list"));
        for none in ["[]", "null", "7"] {
            assert_eq!(read(none), ClientCapabilities::default(), "{none}");
        }
        assert_eq!(ClientCapabilities::read(None), ClientCapabilities::default());
    }
}
