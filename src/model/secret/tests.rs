use super::*;

fn of_url(url: &str) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_url(url);
    secrets
}

#[test]
fn a_secret_is_hidden_in_each_of_its_spellings() {
    let mut secrets = Secrets::default();
    secrets.add("q\"uo<te&d");
    secrets.add("q\"uo<te&d-longer");
    for said in ["q\"uo<te&d", "q\\\"uo<te&d", "q&quot;uo&lt;te&amp;d", "q\"uo<te&d-longer"] {
        assert_eq!(secrets.hide(&format!("it is {said}, twice {said}")), format!("it is {MASK}, twice {MASK}"));
    }
    secrets.add("abc");
    assert_eq!(secrets.hide("abcdef"), "abcdef", "what is too short stands in other words as well");
    assert!(!format!("{secrets:?}").contains("uo"));
}

#[test]
fn words_and_names_of_members_stay() {
    let mut secrets = Secrets::default();
    secrets.add_header("X-Stage: production");
    secrets.add_header("Authorization: Bearer success");
    secrets.add_header("X-Key: k3y-of-mine");
    let data = r#"{"success":true,"stage":"production","said":"success","k3y-of-mine":"k3y-of-mine"}"#;
    let shown = format!(r#"{{"success":true,"stage":"production","said":"{MASK}","{MASK}":"{MASK}"}}"#);
    assert_eq!(secrets.hide_in_json(data), shown);
}

#[test]
fn a_word_is_hidden_where_it_stands_by_itself() {
    let secrets = of_url("postgres://me:archon@h/d");
    assert_eq!(secrets.hide("archonctl, archon_mcp: archon"), format!("archonctl, archon_mcp: {MASK}"));
    let secrets = of_url("postgres://archon:archon@h/d");
    assert_eq!(secrets.hide("no database archon"), "no database archon", "the URL that is shown has it");
}

#[test]
fn values_are_as_secret_as_their_names() {
    let mut secrets = Secrets::default();
    secrets.add_value("Authorization", "Bearer t0k3n");
    secrets.add_value("X-Team", "garden");
    secrets.add_value("X-Trace", "0123456789");
    assert_eq!(secrets.hide("t0k3n of garden 0123456789, Bearer x"), format!("{MASK} of garden {MASK}, Bearer x"));
}

#[test]
fn urls_hide_what_may_be_secret_however_they_are_mistyped() {
    for url in [
        "postgres://u:pw-12@h/d",
        "postgres//u:pw-12@h/d",
        "postgres:u:pw-12@h/d",
        "u:pw-12@h",
        "http://h/mcp?key=a&password=pw-12",
        "host=h user=u password=pw-12 dbname=d",
        "postgres://h/d?sslmode=verify-full&password=pw-12",
        "http://pw-12@h/mcp",
        "http://u:pw-12@h/@x",
    ] {
        assert_eq!(of_url(url).hide("it is pw-12."), format!("it is {MASK}."), "{url}");
    }
    assert_eq!(of_url("postgres://u:pw-1/?2@h/d").hide("it is pw-1/?2."), format!("it is {MASK}."));
    let secrets = of_url("http://me:p%40s:s@h/mcp?api_key=k%20ey&page=2");
    for said in ["p%40s:s", "p@s:s", "k%20ey", "k ey", "bWU6cEBzOnM="] {
        assert_eq!(secrets.hide(said), MASK, "{said}");
    }
    for url in [
        "http://host/mcp?page=2",
        "postgres://h/d?sslmode=verify-full",
        "alice@example.org",
        "sqlite:///a/b",
        "postgres://nobody@h/d",
        "https://medium.example/@alice",
    ] {
        assert_eq!(of_url(url).hide(url), url);
    }
    let mut secrets = Secrets::default();
    for text in ["Authorization t0k3n", "X-Key: Basic abcdefgh", "Cookie=a=b-c"] {
        secrets.add_header(text);
    }
    for said in ["t0k3n", "Basic abcdefgh", "a=b-c"] {
        assert_eq!(secrets.hide(said), MASK, "{said}");
    }
}

#[test]
fn a_document_stays_one() {
    let mut secrets = Secrets::default();
    for secret in ["12345678", "true", "a\"b\\c"] {
        secrets.add(secret);
    }
    let document = serde_json::json!({"12345678": 12_345_678, "t": true, "x": "a\"b\\c is true", "end\\": "\""});
    let shown: serde_json::Value = serde_json::from_str(&secrets.hide_in_json(&document.to_string())).expect("JSON");
    let expected = serde_json::json!({
        (MASK): 12_345_678, "t": true, "x": format!("{MASK} is {MASK}"), "end\\": "\""
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_string_hides_a_secret_however_it_is_escaped() {
    let mut secrets = Secrets::default();
    secrets.add("\"k3y\" of mine\"");
    let escaped = "\"k3y\" of mine\"".chars().fold(String::new(), |text, c| format!("{text}\\u{:04X}", u32::from(c)));
    for said in [r#"\"k3y\" of mine\""#, r#"\u0022k3y\" of \u006dine\""#, &escaped] {
        assert_eq!(secrets.hide_in_json(&format!(r#"["it is {said}\n"]"#)), format!(r#"["it is {MASK}\n"]"#), "{said}");
    }
    let other = r#"["a\/b \u00e9\n", "cut \"#;
    assert_eq!(secrets.hide_in_json(other), other, "what holds none is left as it was written");
}
