//! JSON objects as they were written: members keep their order, and values stay unread.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The members of an object.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A text that is borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A member of an object, if it is a text.
pub(super) fn text_member(object: &RawValue, name: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(object.get()).ok()?;
    let (_, value) = members.into_iter().find(|(member, _)| member == name)?;
    serde_json::from_str(value.get()).ok()
}

/// The object without these members. What is no object stays as it is.
pub(super) fn without(object: &RawValue, names: &[&str]) -> Box<RawValue> {
    let Ok(Members(mut members)) = serde_json::from_str(object.get()) else { return object.to_owned() };
    members.retain(|(name, _)| !names.contains(&&**name));
    to_raw_value(&Members(members)).unwrap_or_else(|_| object.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("json")
    }

    #[test]
    fn the_order_and_what_is_unknown_stay() {
        let entry = raw(r#"{"z":[1, 2],"name":"a\"b","title":"A","icons":[{"src":"x"}],"_meta":{"b":1,"a":2}}"#);
        assert_eq!(text_member(&entry, "name").as_deref(), Some("a\"b"));
        assert_eq!(text_member(&entry, "icons"), None);
        let old = without(&entry, &["title", "outputSchema"]);
        assert_eq!(old.get(), r#"{"z":[1, 2],"name":"a\"b","icons":[{"src":"x"}],"_meta":{"b":1,"a":2}}"#);
    }

    #[test]
    fn what_is_no_object_stays() {
        assert_eq!(without(&raw("[1]"), &["title"]).get(), "[1]");
        assert_eq!(text_member(&raw("7"), "name"), None);
    }
}
