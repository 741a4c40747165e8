//! Shapes of secrets from the public lists of those who look for them, with values that are made up; and texts that must
//! stay. Each secret stands between words, and `#` marks it.

use super::*;

/// What, a text around the secret (`{}`), the secret.
const SECRETS: [(&str, &str, &str); 92] = [
    ("github classic", "{}", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("github oauth", "use {} now", "gho_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("github app", "{}", "ghs_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("github fine", "{}", "github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWXYZ0123456789abcdefghij"),
    ("github in a url", "https://{}@github.com/a/b.git", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("gitlab", "{}", "glpat-abcdefghij1234567890"),
    ("gitlab deploy", "{}", "gldt-abcdefghij1234567890"),
    ("slack bot", "{}", "xoxb-123456789012-abcdefGHIJKL"),
    ("slack user", "{}", "xoxp-123456789012-123456789012-abcdefabcdefabcdef"),
    ("slack app", "{}", "xapp-1-A0123456789-0123456789-abcdefabcdef"),
    ("slack hook", "https://{}", "hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"),
    ("stripe secret", "{}", "sk_live_51H8abcdefghijklmnop"),
    ("stripe restricted", "{}", "rk_live_51H8abcdefghijklmnop"),
    ("stripe hook", "{}", "whsec_abcdefghijklmnopqrstuvwxyz012345"),
    ("google api", "{}", "AIzaSyA-1234567890abcdefghijklmnopqrstu"),
    ("google oauth", "{}", "ya29.a0AfH6SMBabcdefghijklmnopqrstuvwxyz"),
    ("google client", "{}", "GOCSPX-abcdefghijklmnopqrstuvwxyz12"),
    ("aws id", "{}", "AKIAIOSFODNN7EXAMPLE"),
    ("aws session id", "{}", "ASIAIOSFODNN7EXAMPLE"),
    ("aws secret", "{}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("aws in a file", "aws_secret_access_key = {}", "abc/def+ghi"),
    ("openai", "{}", "sk-proj-0123456789abcdef0123"),
    ("openai old", "{}", "sk-abcdefghijklmnopqrstT3BlbkFJabcdefghij"),
    ("anthropic", "{}", "sk-ant-api03-abcdefghijklmnopqrstuvwxyz-0123456789AA"),
    ("openrouter", "{}", "sk-or-v1-0123456789abcdef0123456789abcdef"),
    ("groq", "{}", "gsk_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("xai", "{}", "xai-abcdefghijklmnopqrstuvwxyz0123456789"),
    ("replicate", "{}", "r8_abcdefghijklmnopqrstuvwxyz012345"),
    ("hugging face", "{}", "hf_abcdefghijklmnopqrstuvwxyzABCDEF"),
    ("jwt", "{}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N"),
    (
        "azure storage",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    ),
    ("azure sas", "https://a.blob.core.windows.net/c?sv=2024&sig={}&se=2027", "abc%2Fdef%3D"),
    ("azure bus", "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey={}", "abc123="),
    ("twilio", "{}", "SK0123456789abcdef0123456789abcdef"),
    ("sendgrid", "{}", "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"),
    ("mailgun", "{}", "key-0123456789abcdef0123456789abcdef"),
    ("mailchimp", "{}", "0123456789abcdef0123456789abcdef-us12"),
    ("npm", "{}", "npm_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("npmrc", "//registry.npmjs.org/:_authToken={}", "0a1b2c"),
    ("pypi", "{}", "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdo"),
    ("rubygems", "{}", "rubygems_0123456789abcdef0123456789abcdef"),
    ("docker", "{}", "dckr_pat_abcdefghijklmnopqrstuvwxyz0"),
    ("digitalocean", "{}", "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("shopify", "{}", "shpat_0123456789abcdef0123456789abcdef"),
    ("square", "{}", "sq0atp-abcdefghijklmnopqrstuv"),
    ("telegram", "https://api.telegram.org/bot{}/x", "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"),
    ("databricks", "{}", "dapi0123456789abcdef0123456789abcdef"),
    ("linear", "{}", "lin_api_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("notion", "{}", "ntn_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("vault", "{}", "hvs.abcdefghijklmnopqrstuvwxyz"),
    ("terraform", "{}", "abcdefghijklmn.atlasv1.abcdefghijklmnopqrstuvwxyz"),
    ("grafana", "{}", "glsa_abcdefghijklmnopqrstuvwxyz012345_01234567"),
    ("sentry", "{}", "sntrys_abcdefghijklmnopqrstuvwxyz"),
    ("supabase", "{}", "sbp_0123456789abcdef0123456789abcdef01234567"),
    ("figma", "{}", "figd_abcdefghijklmnopqrstuvwxyz"),
    ("atlassian", "{}", "ATATT3xFfGF0abcdefghijklmnopqrstuvwxyz"),
    ("age", "{}", "AGE-SECRET-KEY-1ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("hex", "{}", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("hex of 40", "the key {} of it", "0123456789abcdef0123456789abcdef01234567"),
    ("random", "{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"),
    ("random with signs", "{}", "q7Xk-Zp2RtV9bNmL4wYcJ8sHdF3gT6aQe_1"),
    ("pem", "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"),
    ("pem in lines", "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", "abcd\nefgh\nijkl"),
    ("pem that was cut", "-----BEGIN OPENSSH PRIVATE KEY-----\n{}", "b3BlbnNzaC1rZXktdjEAAAAA"),
    ("pgp", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}\n-----END PGP PRIVATE KEY BLOCK-----", "lQOYBF0AAA\n=abcd"),
    ("bearer header", "Authorization: Bearer {}", "abc"),
    ("bearer without space", "authorization:bearer {}", "abcdefgh12345678"),
    ("basic header", "Authorization: Basic {}", "YWRtaW46U3VwM3JTM2NyZXQ="),
    ("digest header", "Authorization: Digest {}", "username=a, response=0a1b"),
    ("curl with a header", "curl -H 'Authorization: token {}' https://x", "0a1b2c"),
    ("bearer alone", "sent Bearer {} there", "abcdefgh12345678"),
    ("cookie", "Cookie: {}", "sid=0a1b; theme=dark"),
    ("set-cookie", "Set-Cookie: {}", "sid=0a1b; Path=/; HttpOnly"),
    ("key header", "X-Api-Key: {}", "0a1b2c"),
    ("url", "postgres://me:{}@db/x?y=1", "hunter2"),
    ("url with an @", "postgres://me:{}@db/x", "hunt@er2"),
    ("url without a user", "redis://:{}@cache:6379/0", "Sup3rD"),
    ("query", "https://api.example.com/x?access_token={}&y=1", "Sup3rE"),
    ("fragment", "https://example.com/#id_token={}&state=1", "Sup3rE"),
    ("dsn", "Server=db;User Id=sa;Password={};Encrypt=true", "Sup3rA"),
    ("odbc", "Driver=x;UID=sa;PWD={};", "Sup3rA"),
    ("libpq", "host=db user=me password='{}' dbname=x", "Sup 3rA"),
    ("option", "mysql --password {} -u root", "Sup3rB"),
    ("option with =", "tool --api-key={} run", "Sup3rB"),
    ("short option", "mysql -p{}", "Sup3rG"),
    ("curl pair", "curl -u admin:{} https://x", "Sup3rG"),
    ("env line", "export DB_PASSWORD={}", "Sup3rC"),
    ("yaml", "db:\n  password: {}\n  port: 5432", "Sup3rC"),
    ("json in a text", r#"it said {"password": "{}"} then"#, "Sup3rF"),
    ("json in json in a text", r#"{\"apiKey\": \"{}\", \"page\": 2}"#, "Sup3rF"),
    ("netrc", "machine x login me password {}", "Sup3rF"),
    ("sql", "CREATE USER a IDENTIFIED BY '{}'", "Sup3rF"),
];

const PLAIN: [&str; 43] = [
    "",
    "find the project sk-8",
    "550e8400-e29b-41d4-a716-446655440000",
    "550E8400-E29B-41D4-A716-446655440000",
    "it was mended in commit 0123456789abcdef0123456789abcdef01234567",
    "https://github.com/a/b/commit/0123456789abcdef0123456789abcdef01234567",
    "image@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Revert 3f2a1b0 and see 45e1075",
    "/home/me/projects/archonctl/src/Main.rs",
    "src/components/UserProfile/Settings2Page/index.tsx",
    "test_that_The_Parser2Handles_Nested_Objects_v10",
    "com.example.service.UserAccountRepositoryImpl2Factory",
    "https://example.org/a@b",
    "https://user@example.org/x",
    "http://localhost:8051/mcp?page=2&per_page=50&query=auth",
    "a sentence, with (some) 'punctuation'; and so on = fine",
    "basic understanding of bearer authentication",
    "Basic Authentication is off; Bearer tokens are on",
    "the password is wrong",
    "forgot password? reset it",
    "a token expired; tokens: 512, max_tokens=4096, token_count: 7",
    "tokenizer=o200k",
    "archonctl serve --token-file tokens --bind 0.0.0.0:8051",
    "token_url=https://example.org/oauth/token",
    "secretName: registry-login",
    "the secretary wrote it",
    "password=$DB_PASSWORD and ${API_KEY}",
    "token: <your token>",
    r#"{"password": null, "token": "", "page": 2}"#,
    "--no-password -w",
    "mysql -u root -h db",
    "git log -p --stat",
    "select * from users where id = 7 and name like 'a%'",
    "fn key(&self) -> &str { self.key }",
    "let x = map[\"a\"] + 12345678901234567890;",
    "12345678901234567890123456789012345678901234567890",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "2026-11-27T10:00:00.000Z took 12.5ms at 10.0.0.1:5432",
    "-----BEGIN CERTIFICATE-----",
    "ssh-ed25519 is a kind of key",
    "key-value pairs and pattern matching",
    "Überraschung: naïve café, 東京 — ok",
    "invalid type: string, expected i64",
];

fn shown(text: &str, what: &str) -> String {
    text.replacen("{}", what, 1)
}

#[test]
fn secrets_are_masked_and_what_stands_around_them_is_not() {
    let mut wrong = Vec::new();
    for (what, around, secret) in SECRETS {
        let (sent, wanted) = (shown(around, secret), shown(around, MASK));
        let kept = text(&sent);
        // Of a private key nothing is left, and the slashes of a hook's address are part of it.
        let is_whole = around.starts_with("-----");
        if kept.contains(secret) || (!is_whole && kept != wanted) || (is_whole && kept != MASK) {
            wrong.push(format!("{what}: {sent:?} is kept as {kept:?}"));
        }
        let quoted = text(&format!("it said \"{sent}\", and left"));
        if quoted.contains(secret) {
            wrong.push(format!("{what}, quoted: {quoted:?}"));
        }
        let document = json(&serde_json::json!({ "q": [sent] }).to_string()).expect("json");
        if document.contains(&serde_json::json!(secret).to_string().trim_matches('"').to_owned()) {
            wrong.push(format!("{what}, in a document: {document}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_texts_stay_as_they_are() {
    let changed: Vec<_> =
        PLAIN.iter().map(|plain| (plain, text(plain))).filter(|(plain, kept)| *plain != kept).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn several_in_one_text_are_masked_each() {
    let sent = "API_KEY=abc123 DB_PASSWORD='x y' ./run --token t0k3n -v https://u:pw@h/?key=1&api_key=zz";
    let kept = "API_KEY=[masked] DB_PASSWORD='[masked]' ./run --token [masked] -v https://u:[masked]@h/?key=1&api_key=[masked]";
    assert_eq!(text(sent), kept);
    assert_eq!(text(kept), kept, "masked once more, it is the same");
}

#[test]
fn members_that_hold_secrets_are_masked_whatever_they_hold() {
    let raw = r#"{"query":"auth","apiKey":"x","nested":[{"Set-Cookie":{"a":1}}],"max_tokens":5,"token":null,
                  "client_secret":7,"Authorization":"Basic YTpi","page":2,"db.pass":"x","bypass":true}"#;
    let value: Value = serde_json::from_str(&json(raw).expect("json")).expect("json");
    assert_eq!(
        value,
        serde_json::json!({"query": "auth", "apiKey": MASK, "nested": [{"Set-Cookie": MASK}], "max_tokens": 5,
            "token": null, "client_secret": MASK, "Authorization": MASK, "page": 2, "db.pass": MASK, "bypass": true})
    );
}

#[test]
fn what_is_no_json_is_none() {
    assert_eq!(json("{"), None);
}

#[test]
fn any_text_is_taken() {
    for strange in [
        "=",
        "password=",
        "password:\\",
        "--token",
        "--token ",
        "\u{202e}token=\u{202e}é",
        "a=\"",
        "é".repeat(99).as_str(),
    ] {
        text(strange);
    }
    assert_eq!(text("password=пароль"), format!("password={MASK}"));
}
