//! Secrets taken out of what is kept for people to look at.
//!
//! Two nets: values whose name says that they are a secret, and texts that look like one. Neither catches all; that is why
//! nothing is captured unless the operator asks for it.

mod masked;
mod named;
mod shapes;

use serde_json::Value;

pub use masked::MASK;
pub use named::is_secret as is_secret_name;

/// A JSON document with its secrets masked; `None` when it is no JSON.
pub fn json(raw: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(raw).ok()?;
    mask(&mut value);
    Some(value.to_string())
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = self::text(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            for (name, member) in members {
                if named::is_secret(name) && !member.is_null() {
                    *member = Value::from(MASK);
                } else {
                    mask(member);
                }
            }
        }
        _ => {}
    }
}

/// A text with the words masked that are secrets by their name or by their look.
pub fn text(text: &str) -> String {
    // Those first that have ends of their own: what stands in them is no name and no word.
    let framed = shapes::without_framed(text);
    let named = named::without_values(&framed);
    shapes::without_keys(&named)
}

#[cfg(test)]
mod tests;
