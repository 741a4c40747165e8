//! A size on the command line.

/// Reads `500MiB`, `20G` or a number of bytes: units are powers of 1,024, with or without `B` or `iB`. 0 is no limit.
///
/// # Errors
/// What is meant by a size.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_uppercase();
    let letter = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let shift = ["", "K", "M", "G", "T"].iter().position(|known| *known == letter && (unit != "IB"));
    let bytes = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << (10 * shift)));
    bytes.ok_or_else(|| "a size is a number and a unit, such as 500MiB, 20G or 1T".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4096B", 4096),
            ("500MiB", 500 << 20),
            ("500mb", 500 << 20),
            ("20G", 20 << 30),
            ("1 TiB", 1 << 40),
            ("7k", 7 << 10),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1", "1.5G", "10X", "10 GiBB", "10iB", "99999999999T", "1e9"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
