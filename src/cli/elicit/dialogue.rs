//! A form at a terminal, field by field.

use std::io::{self, Write};

use serde_json::{Map, Value};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::super::output::{line, paragraph};
use super::super::secrets;
use super::field::Field;
use super::form::Form;
use super::outcome::Outcome;

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 64 * 1024;
const KEYS: &str = "An empty line takes the [default], or leaves out what is optional; !decline and !cancel end it.";

/// Somebody who fills in a form.
pub(super) struct Dialogue<'a, R, W> {
    form: &'a Form,
    typed: &'a mut R,
    shown: W,
}

/// What was typed in one place.
enum Typed {
    Text(String),
    /// The form comes to this.
    End(Outcome),
}

/// What somebody wants to do with a form that is filled in.
enum Wish {
    Send,
    Edit,
    End(Outcome),
}

impl<'a, R: AsyncBufRead + Unpin, W: Write> Dialogue<'a, R, W> {
    pub(super) fn new(form: &'a Form, typed: &'a mut R, shown: W) -> Self {
        Self { form, typed, shown }
    }

    /// Asks until the form comes to something.
    ///
    /// # Errors
    /// When nothing can be shown or read.
    pub(super) async fn run(mut self) -> io::Result<Outcome> {
        self.show(&format!("The server asks: {}\n", paragraph(&self.form.message)))?;
        if !self.form.fields.is_empty() {
            self.show(&format!("{KEYS}\n"))?;
        }
        let mut former = Map::new();
        loop {
            let content = match self.fill_in(&former).await? {
                Ok(content) => content,
                Err(outcome) => return Ok(outcome),
            };
            match self.wish().await? {
                Wish::Send => return Ok(Outcome::Accept(content)),
                Wish::Edit => former = content,
                Wish::End(outcome) => return Ok(outcome),
            }
        }
    }

    /// All fields; `former` is what they had before.
    async fn fill_in(&mut self, former: &Map<String, Value>) -> io::Result<Result<Map<String, Value>, Outcome>> {
        let (form, mut content) = (self.form, Map::new());
        for field in &form.fields {
            match self.field(field, former.get(&field.name).or(field.default())).await? {
                Ok(Some(value)) => _ = content.insert(field.name.clone(), value),
                Ok(None) => {}
                Err(outcome) => return Ok(Err(outcome)),
            }
        }
        Ok(Ok(content))
    }

    /// One field, until what is typed fits.
    async fn field(&mut self, field: &Field, usual: Option<&Value>) -> io::Result<Result<Option<Value>, Outcome>> {
        if let Some(description) = &field.description {
            self.show(&format!("  {}\n", line(description)))?;
        }
        let name = line(field.title.as_ref().unwrap_or(&field.name));
        let need = if field.is_required { ", required" } else { "" };
        let usual_text = usual.map(|value| format!(" [{}]", line(&field.shown(value)))).unwrap_or_default();
        let prompt = format!("{name} ({}{need}){usual_text}: ", line(&field.takes()));
        loop {
            let text = match self.line(&prompt).await? {
                Typed::Text(text) => text,
                Typed::End(outcome) => return Ok(Err(outcome)),
            };
            let fault = match text.as_str() {
                "" if usual.is_some() || !field.is_required => return Ok(Ok(usual.cloned())),
                "" => "it is required".to_owned(),
                text => match field.read(text) {
                    Ok(value) => return Ok(Ok(Some(value))),
                    Err(fault) => fault,
                },
            };
            self.show(&format!("  {}\n", line(&fault)))?;
        }
    }

    /// Nothing is sent that nobody has looked at.
    async fn wish(&mut self) -> io::Result<Wish> {
        let edit = if self.form.fields.is_empty() { "" } else { ", [e]dit it" };
        let prompt = format!("[y]es, send it{edit}, [n]o, decline, [c]ancel: ");
        loop {
            let text = match self.line(&prompt).await? {
                Typed::Text(text) => text.to_lowercase(),
                Typed::End(outcome) => return Ok(Wish::End(outcome)),
            };
            return Ok(match text.as_str() {
                "y" | "yes" => Wish::Send,
                "e" | "edit" if !edit.is_empty() => Wish::Edit,
                "n" | "no" | "decline" => Wish::End(Outcome::Decline),
                "c" | "cancel" => Wish::End(Outcome::Cancel),
                _ => continue,
            });
        }
    }

    /// A line, without what surrounds it. The end of input is a way to go away.
    async fn line(&mut self, prompt: &str) -> io::Result<Typed> {
        self.show(prompt)?;
        let mut read = Vec::new();
        while !read.ends_with(b"\n") {
            let part = self.typed.fill_buf().await?;
            if part.is_empty() {
                self.show("\n")?;
                return Ok(Typed::End(Outcome::Cancel));
            }
            let length = part.iter().position(|byte| *byte == b'\n').map_or(part.len(), |end| end + 1);
            read.extend_from_slice(&part[..length]);
            self.typed.consume(length);
            if read.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let text = String::from_utf8_lossy(&read).trim().to_owned();
        Ok(match text.as_str() {
            "!decline" => Typed::End(Outcome::Decline),
            "!cancel" => Typed::End(Outcome::Cancel),
            _ => Typed::Text(text),
        })
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.shown.write_all(secrets::hidden(text).as_bytes())?;
        self.shown.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    async fn typed(lines: &str) -> (Outcome, String) {
        let schema = json!({"properties": {"age": {"type": "integer", "minimum": 1, "default": 30},
            "name": {"type": "string", "description": "as in the passport"}}, "required": ["name"]});
        let params = json!({"message": "who\u{1b}?", "requestedSchema": schema}).to_string();
        let form = Form::read(Some(&RawValue::from_string(params).expect("JSON"))).expect("a form");
        let (mut input, mut shown) = (lines.as_bytes(), Vec::new());
        let outcome = Dialogue::new(&form, &mut input, &mut shown).run().await.expect("it can be shown");
        (outcome, String::from_utf8(shown).expect("text"))
    }

    fn accepted(content: &Value) -> Outcome {
        Outcome::Accept(content.as_object().expect("an object").clone())
    }

    #[tokio::test]
    async fn asks_field_by_field_until_all_fit() {
        let (outcome, shown) = typed("0\n\n\nAda\nwhat\ny\n").await;
        assert_eq!(outcome, accepted(&json!({"age": 30, "name": "Ada"})));
        let age = "age (whole number, at least 1) [30]: ";
        let expected = format!(
            "The server asks: who\u{fffd}?\n{KEYS}\n{age}  it has to be at least 1\n{age}  as in the passport\n\
            name (text, required):   it is required\nname (text, required): "
        );
        assert!(shown.starts_with(&expected), "{shown}");
        assert_eq!(shown.matches("[y]es, send it, [e]dit it, [n]o").count(), 2, "{shown}");
    }

    #[tokio::test]
    async fn what_was_typed_can_be_mended() {
        let (outcome, shown) = typed("31\nAda\ne\n\nGrace\ny\n").await;
        assert_eq!(outcome, accepted(&json!({"age": 31, "name": "Grace"})));
        assert!(shown.contains("name (text, required) [Ada]: "), "{shown}");
    }

    #[tokio::test]
    async fn nobody_has_to_answer() {
        for (lines, expected) in [
            ("!decline\n", Outcome::Decline),
            ("5\n!cancel\n", Outcome::Cancel),
            ("5\nAda\nn\n", Outcome::Decline),
            ("5\nAda\nc\n", Outcome::Cancel),
            ("5\nAda\n", Outcome::Cancel),
            ("", Outcome::Cancel),
        ] {
            assert_eq!(typed(lines).await.0, expected, "{lines:?}");
        }
    }
}
