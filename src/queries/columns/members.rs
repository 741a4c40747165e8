//! The names of a read model's members, so that they stand nowhere else.

use serde::de::value::Error;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

/// The names of a struct's members in JSON, in their order: those by which serde would look for them.
pub fn members<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It asks for its members by name, and gets no more than that.
    _ = T::deserialize(Names(&mut names));
    names
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only its names"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::queries::columns::Listed;
    use crate::queries::events::Event;
    use crate::queries::requests::Request;
    use crate::queries::sessions::Session;
    use crate::queries::story::{ArchonSession, ProtocolSession};
    use crate::queries::usage::Usage;

    #[test]
    fn they_are_those_of_the_json_object() {
        #[derive(Serialize, Deserialize)]
        struct Thing {
            name: String,
            #[serde(rename = "calls")]
            n: i64,
            #[serde(skip)]
            hidden: i64,
        }
        assert_eq!(members::<Thing>(), ["name", "calls"]);
        let json = serde_json::to_string(&Thing { name: "a".into(), n: 1, hidden: 2 }).expect("JSON");
        assert_eq!(json, r#"{"name":"a","calls":1}"#);
        assert_eq!(serde_json::from_str::<Thing>(&json).map(|thing| thing.hidden).ok(), Some(0));
    }

    #[test]
    fn each_list_has_some() {
        for members in [
            Session::members(),
            Request::members(),
            Event::members(),
            Usage::members(),
            ArchonSession::members(),
            ProtocolSession::members(),
        ] {
            assert!(members.len() > 5, "{members:?}");
        }
    }
}
