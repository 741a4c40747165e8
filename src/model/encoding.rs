//! The text of files as people's editors and shells write them: with a byte order mark, or in the UTF-16 that it announces.

use std::io::{Error, ErrorKind, Result};

/// The text of a file's bytes: UTF-8, its byte order mark taken off, or UTF-16 where a mark says so.
///
/// # Errors
/// When it is no text.
pub fn decode(bytes: Vec<u8>) -> Result<String> {
    let wrong = || Error::new(ErrorKind::InvalidData, "it is neither UTF-8 nor UTF-16 with a byte order mark");
    let units = |order: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| order(*pair)).collect();
        let text = String::from_utf16(&units).map_err(|_| wrong());
        if rest.is_empty() { text } else { Err(wrong()) }
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] => std::str::from_utf8(text).map(str::to_owned).map_err(|_| wrong()),
        _ => String::from_utf8(bytes).map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_editors_and_shells_write() {
        let units = |mark: [u8; 2], order: fn(u16) -> [u8; 2]| {
            let units = "{\"é\": 1}\n".encode_utf16().flat_map(order);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        for bytes in [
            "{\"é\": 1}\n".as_bytes().to_vec(),
            "\u{feff}{\"é\": 1}\n".as_bytes().to_vec(),
            units([0xff, 0xfe], u16::to_le_bytes),
            units([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes.clone()).expect("text"), "{\"é\": 1}\n", "{bytes:?}");
        }
        assert_eq!(decode(Vec::new()).expect("text"), "");
        for bad in [&b"\xff\xfe\x00"[..], b"\xff\xfe\x00\xd8", b"\xef\xbb\xbf\xff", b"a\xff"] {
            assert!(decode(bad.to_vec()).is_err(), "{bad:?}");
        }
    }
}
