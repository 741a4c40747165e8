//! One thing on standard output: lines of `name  value` for people, and the same formats as a list for programs.

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::output::{Screen, VERSION, View, csv_cell, line};

/// One thing.
#[derive(Debug)]
pub(super) struct Item {
    /// What it is to people.
    pub(super) text: String,
    /// Its members in JSON, which are the columns of CSV.
    pub(super) members: Vec<(&'static str, Value)>,
}

/// Lines of a name and its value, each in one line, the values one below the other.
pub(super) fn named_lines(lines: &[(&str, &str)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = lines.iter().map(|(name, value)| format!("{name:width$}  {}", line(value)));
    lines.collect::<Vec<_>>().join("\n")
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

impl View for Item {
    fn text(&self, _screen: &Screen) -> String {
        self.text.clone()
    }

    fn note(&self) -> Option<String> {
        None
    }

    fn document(&self) -> serde_json::Result<String> {
        let line = serde_json::to_string(self)?;
        Ok(format!(r#"{{"version":{VERSION},{}"#, line.trim_start_matches('{')))
    }

    fn lines(&self) -> serde_json::Result<Vec<String>> {
        Ok(vec![serde_json::to_string(self)?])
    }

    fn csv(&self, header: bool) -> io::Result<String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        if header {
            csv.write_record(self.members.iter().map(|(name, _)| name))?;
        }
        csv.write_record(self.members.iter().map(|(_, value)| csv_cell(value)))?;
        let bytes = csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_thing_in_every_format() {
        let members = vec![("b", json!("x, \"y\"")), ("a", Value::Null), ("c", json!([1]))];
        let item = Item { text: named_lines(&[("b", "x\u{1b}\nlong  2"), ("long", "1")]), members };
        assert_eq!(item.text, "b     x\u{fffd} long  2\nlong  1");
        assert_eq!(item.document().expect("JSON"), r#"{"version":1,"b":"x, \"y\"","a":null,"c":[1]}"#);
        assert_eq!(item.lines().expect("JSON"), [r#"{"b":"x, \"y\"","a":null,"c":[1]}"#]);
        assert_eq!(item.csv(true).expect("CSV"), "b,a,c\n\"x, \"\"y\"\"\",,[1]\n");
    }
}
