//! Which refusals mean that the server has lost the session.
//!
//! The specification has one form, 404. Servers in the field have many: 400 with `Server not initialized` or `No valid
//! session ID provided`, 401 with `Session not found`, 422 with `expect initialize request`, 200 with a JSON-RPC error. A
//! wrong yes sends a request once more, so a text counts only when all of it is about the session of the transport: an
//! argument that happens to be called `session_name`, or some other session that a tool could not find, is neither.

mod words;

use words::{ASKING, CREDENTIALS, FILLERS, NEGATIONS, NEUTRAL, PREFIXES, UNINITIALIZED, VAGUE};

/// A JSON-RPC code that says the request was read and found wrong: it had its session.
const ABOUT_THE_REQUEST: [i64; 4] = [-32700, -32601, -32602, -32603];
/// The codes under which servers refuse a request before they look at what it asks for.
const ABOUT_THE_TRANSPORT: [i64; 3] = [-32000, -32001, -32600];
/// What the official SDKs send with 404.
const SESSION_NOT_FOUND: i64 = -32001;
const METHOD_NOT_FOUND: i64 = -32601;

/// A refusal, as far as it matters here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refused<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// The code, where the body is a JSON-RPC error.
    pub(super) code: Option<i64>,
    /// Whether that error carries the request's id: the server had read the request.
    pub(super) echoes_id: bool,
    /// What the server said.
    pub(super) message: &'a str,
    /// The session that the request named.
    pub(super) session: Option<&'a str>,
    /// Whether the server says that the token is wrong (`WWW-Authenticate: … error=…`).
    pub(super) is_challenge: bool,
}

impl Refused<'_> {
    /// Whether it means that the session is lost, which also means that the request has not run.
    pub(super) fn is_loss(&self) -> bool {
        match self.status {
            404 => self.session.is_some() && !self.is_about_the_request(),
            405 | 408 | 413 | 415 | 429 => false,
            401 | 403 => !self.is_challenge && !self.speaks_of_credentials() && self.is_refused_for_its_session(),
            400..500 => self.is_refused_for_its_session(),
            200 | 500 => self.is_refused_unread() && self.speech().is_some(),
            _ => false,
        }
    }

    /// Whether a 404 is no more than the status of an answer: an unknown method is 404 to some, and so is a tool or what a
    /// tool could not find. A session is none of its business.
    fn is_about_the_request(&self) -> bool {
        let is_of_transport = self.code.is_none_or(|code| ABOUT_THE_TRANSPORT.contains(&code));
        self.code == Some(METHOD_NOT_FOUND)
            || (self.echoes_id && !is_of_transport && !self.is_refused_for_its_session())
    }

    fn is_refused_for_its_session(&self) -> bool {
        let Some(speech) = self.speech() else { return false };
        match self.code {
            Some(code) if ABOUT_THE_REQUEST.contains(&code) => !self.echoes_id && speech == Speech::Plain,
            _ => true,
        }
    }

    /// A status that says nothing: then the JSON-RPC error has to tell that nothing has run.
    fn is_refused_unread(&self) -> bool {
        let unread = !self.echoes_id && self.code.is_some_and(|code| ABOUT_THE_TRANSPORT.contains(&code));
        unread || (self.status == 200 && self.code == Some(SESSION_NOT_FOUND))
    }

    fn speaks_of_credentials(&self) -> bool {
        let message = self.message.to_lowercase();
        CREDENTIALS.iter().any(|word| message.contains(word))
    }

    /// What its message says of the session, if that is all that it says.
    fn speech(&self) -> Option<Speech> {
        let message = self.message.to_lowercase();
        // A name in the code's spelling is an argument's name, unless the transport itself says it.
        let of_transport = !self.echoes_id && self.code.is_some_and(|code| ABOUT_THE_TRANSPORT.contains(&code));
        let names_header = message.contains("mcp-session-id");
        let spelled = message.replace("mcp-session-id", "session id").replace("session-id", "session id");
        let names_transport = message.contains("transport");
        let spelled =
            if of_transport || names_transport { spelled.replace("sessionid", "session id") } else { spelled };
        // What is one word is no sentence but a code: `session_not_found`.
        let is_code = !spelled.trim().contains(char::is_whitespace);
        let spelled = if is_code { spelled.replace('_', " ") } else { spelled };
        let (sentence, rest) = first_sentence(without_prefixes(&spelled));
        let words: Vec<&str> = sentence.split_whitespace().map(bare).filter(|word| !self.is_our_id(word)).collect();
        let core: Vec<&str> = words.into_iter().filter(|word| !FILLERS.contains(word)).collect();
        if speaks_of_initializing(&core) {
            return Some(Speech::Plain);
        }
        let names_id = names_header || core.contains(&"id");
        let is_lost = core.iter().any(|word| NEGATIONS.contains(word) || (names_id && VAGUE.contains(word)))
            || matches!(core.as_slice(), ["invalid", "session"] | ["session", "invalid"]);
        if !core.contains(&"session") || !core.iter().all(|word| is_known(word)) || !is_lost || self.names_another(rest)
        {
            return None;
        }
        Some(if names_header { Speech::Plain } else { Speech::OfSomeSession })
    }

    /// Whether a word is the session's id, or the beginning of it that a log would show.
    fn is_our_id(&self, word: &str) -> bool {
        let word = word.trim_end_matches(['.', '…']);
        let id = self.session.unwrap_or_default().to_lowercase();
        // An id may begin with the very word: `session-1868a90c`.
        let is_abridged = word.len() >= 6 && word.bytes().any(|b| b.is_ascii_digit()) && id.starts_with(word);
        !word.is_empty() && !is_known(word) && (id == word || is_abridged)
    }

    /// Whether what follows the sentence is the id of another session: `Session not found: shell-7`.
    fn names_another(&self, rest: &str) -> bool {
        let Some(detail) = rest.strip_prefix(':') else { return false };
        let mut words = detail.split_whitespace().map(bare).filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some(word), None) => !self.is_our_id(word),
            _ => false,
        }
    }
}

/// How clearly a message speaks of the transport's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    /// It names the header, or the handshake.
    Plain,
    /// It speaks of a session, and of nothing else.
    OfSomeSession,
}

/// `Server not initialized`, `Unexpected message, expect initialize request`, `Received request before initialization …`,
/// `Please call initialize first`.
fn speaks_of_initializing(core: &[&str]) -> bool {
    match core {
        [who @ .., "not", "initialized" | "initialised"] => who.iter().all(|word| UNINITIALIZED.contains(word)),
        [.., before, "initialize" | "initialise"] => before.starts_with("expect"),
        ["received", "before", "initialization" | "initialisation", ..] => true,
        [how @ .., "first"] => {
            let is_asked_for = |word: &&str| matches!(*word, "initialize" | "initialise");
            let is_about_it = |word: &&str| is_asked_for(word) || ASKING.contains(word) || UNINITIALIZED.contains(word);
            how.iter().any(is_asked_for) && how.iter().all(is_about_it)
        }
        _ => false,
    }
}

/// Whether a sentence about a lost session may have that word.
fn is_known(word: &str) -> bool {
    NEUTRAL.contains(&word) || NEGATIONS.contains(&word) || VAGUE.contains(&word)
}

/// The message behind `Bad Request:`, `MCP error -32000:` and their kin.
fn without_prefixes(message: &str) -> &str {
    let mut rest = message.trim();
    while let Some((prefix, behind)) = rest.split_once(':') {
        let prefix = prefix.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '-'));
        if !PREFIXES.contains(&prefix.trim()) {
            break;
        }
        rest = behind.trim();
    }
    rest
}

/// The first sentence, and what follows it with its first mark. A comma parts none: `Unexpected message, expect …`.
fn first_sentence(text: &str) -> (&str, &str) {
    let is_end = |at: usize, mark: char| match mark {
        ':' | ';' | '(' | '\n' | '!' | '—' => true,
        // A point inside a name or an abridged id ends nothing.
        '.' => text[at + 1..].chars().next().is_none_or(char::is_whitespace) && !text[..at].ends_with('.'),
        _ => false,
    };
    let end = text.char_indices().find(|(at, mark)| is_end(*at, *mark)).map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

/// A word without quotes and commas around it.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', '`', ',', '[', ']', '<', '>'])
}

#[cfg(test)]
mod tests;
