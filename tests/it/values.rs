//! Values that are parsed before anything is sent: what is accepted, what is refused, and as what.

use std::time::Duration;

use workos_auth::error::CallbackError;
use workos_auth::secret::State;
use workos_auth::{
    Callback, Client, ClientId, ConfidentialClient, Error, ErrorKind, ExposeSecret, OrganizationId, PublicClient,
    RedirectUri, ReturnPath, danger,
};

use crate::support::login::state;

fn field(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidValue { field, .. } => field,
        _ => "not a refused value",
    }
}

#[test]
fn redirect_uris() {
    for accepted in [
        "https://example.com/callback",
        "https://example.com",
        "https://example.com:8443/callback?kept=1",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/callback",
        "http://localhost:3000/callback",
        "myapp://callback",
        "com.example.app:/callback",
        "com.example.app:/callback?kept=1",
        "com.example.app:///callback",
        "https://example.com/@ada/callback?to=a@b",
        "searchapp://callback",
    ] {
        assert_eq!(RedirectUri::new(accepted).map(|uri| uri.to_string()).unwrap(), accepted);
    }
    for refused in [
        "",
        " ",
        "/callback",
        "callback",
        "example.com/callback",
        "http://example.com/callback",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.2/callback",
        "http://10.0.0.1/callback",
        "http://0.0.0.0/callback",
        "http://[::]/callback",
        "https:example.com",
        "https:/example.com",
        "https:\\\\example.com",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "http://127.0.0.1@evil.example/",
        "https://example.com/callback#fragment",
        "https://example.com/callback#",
        "myapp://callback#fragment",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "blob:https://example.com/1",
        "vbscript:x",
        "VBS:x",
        "http://@localhost/",
        "http://:@127.0.0.1/callback",
        "https://@example.com/callback",
        "myapp://@callback",
        "http:///localhost/callback",
        "http:////localhost/callback",
        "https:///example.com/callback",
        "ms-msdt:/id",
        "MS-Settings:network",
        "ms-word:ofe|u|https://example.com",
        "search-ms:query=x",
        "search:query=x",
        "shell:startup",
        "jar:file:///x!/y",
        "microsoft-edge:https://example.com",
        "x-apple.systempreferences:com.apple.preference",
        "x-man-page://1/ls",
        "applescript://com.apple.scripteditor",
        "chrome-extension://id/page",
        "smb://server/share",
        "ldap://server",
        "telnet://server",
        "about:blank",
        "view-source:https://example.com/",
        "filesystem:https://example.com/x",
        "ftp://example.com/",
        "ws://example.com/",
        "mailto:ada@example.com",
        " https://example.com/callback",
        "https://example.com/call back",
        "https://example.com/\tcallback",
        "https://example.com/callback\n",
        "https://exämple.com/callback",
    ] {
        let error = RedirectUri::new(refused).expect_err(refused);
        assert_eq!(field(&error), "redirect_uri", "{refused:?}");
    }
}

#[test]
fn identifiers() {
    assert_eq!(ClientId::new("client_01HZ-x").unwrap().to_string(), "client_01HZ-x");
    for refused in ["", " ", "client 1", "client_1\n", "../users", "..", "a/b", "a%2eb", "ä", "a?b", "sk_live_1"] {
        assert_eq!(field(&ClientId::new(refused).expect_err(refused)), "client_id");
        assert_eq!(field(&OrganizationId::new(refused).expect_err(refused)), "organization_id");
    }
}

#[test]
fn builders_name_the_field_and_echo_no_key() {
    let id = || Client::builder().client_id("client_123");
    let base_url = |url: &str| id().base_url(url).build().map(drop);
    let refused: [(&str, Result<(), Error>); 25] = [
        ("client_id", PublicClient::new("").map(drop)),
        ("client_id", PublicClient::new("  \t").map(drop)),
        ("client_id", PublicClient::new("client_1 ").map(drop)),
        ("client_id", ConfidentialClient::new("sk_canary", "client_123").map(drop)),
        ("api_key", ConfidentialClient::new("client_123", "").map(drop)),
        ("api_key", ConfidentialClient::new("client_123", "  ").map(drop)),
        ("api_key", ConfidentialClient::new("client_123", "sk_canary\r\nx: y").map(drop)),
        ("api_key", ConfidentialClient::new("client_123", "sk_canary\u{0}").map(drop)),
        ("api_key", ConfidentialClient::new("client_123", "sk_canäry").map(drop)),
        ("api_key", Client::builder().api_key("client_123").build().map(drop)),
        ("base_url", base_url("")),
        ("base_url", base_url("api.workos.com")),
        ("base_url", base_url("ftp://api.workos.com")),
        ("base_url", base_url("http://api.workos.com")),
        ("base_url", base_url("http://localhost.evil.example")),
        ("base_url", base_url("https://user@api.workos.com")),
        ("base_url", base_url("https://user:canary@api.workos.com")),
        ("base_url", base_url("https://api.workos.com/?canary=1")),
        ("base_url", base_url("https://api.workos.com/#canary")),
        ("connect_timeout", id().connect_timeout(Duration::ZERO).build().map(drop)),
        ("timeout", id().timeout(Duration::ZERO).build().map(drop)),
        ("app_name", id().app_name("").build().map(drop)),
        ("app_name", id().app_name("a\r\nx: y").build().map(drop)),
        // What makes a client reproducible must not leave this machine.
        ("base_url", id().random_seed(1).build().map(drop)),
        (
            "base_url",
            id().clock(workos_auth::testing::ManualClock::new(std::time::SystemTime::UNIX_EPOCH)).build().map(drop),
        ),
    ];
    for (expected, result) in refused {
        let error = result.expect_err(expected);
        assert_eq!(field(&error), expected, "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    for accepted in ["http://127.0.0.1:4100", "http://[::1]:4100/", "http://localhost", "https://auth.example.com/v1/"]
    {
        let client = id().base_url(accepted).build().expect(accepted);
        assert_eq!(client.base_url(), accepted.trim_end_matches('/'));
    }
}

#[test]
fn a_client_says_where_its_keys_are() -> Result<(), Error> {
    for (base_url, expected) in [
        ("https://api.workos.com", "https://api.workos.com/sso/jwks/client_123"),
        ("https://auth.example.com/", "https://auth.example.com/sso/jwks/client_123"),
        ("http://127.0.0.1:4100/prefix", "http://127.0.0.1:4100/prefix/sso/jwks/client_123"),
    ] {
        let client = Client::builder().client_id("client_123").base_url(base_url);
        assert_eq!(client.api_key("sk_example").build()?.jwks_url().as_str(), expected);
    }
    assert_eq!(PublicClient::new("client_1")?.jwks_url().as_str(), "https://api.workos.com/sso/jwks/client_1");
    Ok(())
}

#[test]
fn the_first_wrong_value_is_told() {
    let error = Client::builder().client_id("").api_key("").base_url("nowhere").build().map(drop).unwrap_err();
    assert_eq!(field(&error), "client_id");
}

#[test]
fn callbacks() {
    let problem = |query: &str| match Callback::from_query(query).map(drop).unwrap_err().kind() {
        ErrorKind::Callback(problem) => problem.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(problem("code=a&code=b&state=c"), CallbackError::DuplicateParameter("code"));
    assert_eq!(problem("code=a&state=c&state=d"), CallbackError::DuplicateParameter("state"));
    assert_eq!(problem("error=a&error=b&state=c"), CallbackError::DuplicateParameter("error"));
    assert_eq!(problem("c%6Fde=a&code=b&state=c"), CallbackError::DuplicateParameter("code"));
    assert_eq!(problem("code=a&error=b&state=c"), CallbackError::CodeAndError);
    assert_eq!(problem("state=c"), CallbackError::MissingCode);
    assert_eq!(problem("code=&state=c"), CallbackError::MissingCode);
    assert_eq!(problem(""), CallbackError::MissingCode);
    let malformed = Callback::from_url("https://example.com/callback").map(drop).unwrap_err();
    assert!(matches!(malformed.kind(), ErrorKind::Callback(CallbackError::Malformed)));
    // What only a login can judge is accepted until then.
    for accepted in ["code=a", "code=a&state=", "error=access_denied", "?code=a&state=b&unknown=1&unknown=2"] {
        assert!(Callback::from_query(accepted).is_ok(), "{accepted}");
    }
}

#[test]
fn each_callback_that_a_login_refuses_has_its_own_outcome() -> Result<(), Error> {
    let client = PublicClient::new("client_123")?;
    let mut session = client.authorize(RedirectUri::new("https://example.com/callback")?).authkit().begin()?;
    let state = state(session.url());
    let almost = format!("{}{}", &state[..state.len() - 1], if state.ends_with('A') { "B" } else { "A" });
    for (query, expected) in [
        ("code=a".to_owned(), CallbackError::MissingState),
        ("code=a&state=".to_owned(), CallbackError::MissingState),
        (format!("code=a&state={almost}"), CallbackError::StateMismatch),
        (format!("code=a&state={}", &state[..20]), CallbackError::StateMismatch),
        (format!("code=a&state={state}x"), CallbackError::StateMismatch),
        (format!("error=access_denied&state={almost}"), CallbackError::StateMismatch),
        (format!("error=access_denied&state={state}"), CallbackError::Authorization("access_denied".into())),
        (format!("error=new_code&state={state}"), CallbackError::Authorization("new_code".into())),
        (format!("error=not%20a%20code&state={state}"), CallbackError::Authorization("unreadable".into())),
    ] {
        let rejected = session.exchange(Callback::from_query(&query)?).unwrap_err();
        assert!(
            matches!(rejected.error().kind(), ErrorKind::Callback(problem) if *problem == expected),
            "{rejected:?}"
        );
        session = rejected.recover()?;
    }
    let fragment = format!("https://example.com/callback?code=a%2Bb&state={state}#fragment?state=x");
    assert!(session.exchange(Callback::from_url(&fragment)?).is_ok());
    Ok(())
}

#[test]
fn a_callback_gives_its_code_for_its_own_state_only() -> Result<(), Error> {
    for (query, expected) in [
        ("code=a", CallbackError::MissingState),
        ("code=a&state=", CallbackError::MissingState),
        ("code=a&state=the-statf", CallbackError::StateMismatch),
        ("code=a&state=the-stat", CallbackError::StateMismatch),
        ("code=a&state=the-state-", CallbackError::StateMismatch),
        ("error=access_denied", CallbackError::MissingState),
        ("error=access_denied&state=another", CallbackError::StateMismatch),
        ("error=access_denied&state=the-state", CallbackError::Authorization("access_denied".into())),
    ] {
        let mut callback = Callback::from_query(query)?;
        // It comes back each time, and nothing changes.
        for _ in 0..2 {
            let rejected = callback.code_for(&State::new("the-state")).unwrap_err();
            assert!(
                matches!(rejected.error().kind(), ErrorKind::Callback(problem) if *problem == expected),
                "{query}: {rejected:?}"
            );
            callback = rejected.recover()?;
        }
    }
    for callback in [
        Callback::from_query("code=a%2Bb&state=the-state")?,
        Callback::from_parts("a+b", Some(State::new("the-state"))),
    ] {
        let callback = callback.code_for(&State::new("another")).unwrap_err().recover()?;
        assert_eq!(callback.code_for(&State::new("the-state"))?.expose_secret(), "a+b");
    }
    // An empty state ties nothing to a login, and an empty code is none.
    let empty = || State::new("");
    for (callback, state, problem) in [
        (Callback::from_parts("a", Some(empty())), empty(), CallbackError::MissingState),
        (Callback::from_parts("a", Some(State::new("b"))), empty(), CallbackError::MissingState),
        (Callback::from_parts("", Some(State::new("b"))), State::new("b"), CallbackError::MissingCode),
    ] {
        let rejected = callback.code_for(&state).unwrap_err();
        assert!(matches!(rejected.error().kind(), ErrorKind::Callback(found) if *found == problem), "{rejected:?}");
        assert!(rejected.recover().is_ok(), "the callback comes back in every case");
    }
    let stateless = Callback::from_parts("a", None).code_for(&State::new("")).unwrap_err();
    assert!(matches!(stateless.error().kind(), ErrorKind::Callback(CallbackError::MissingState)), "{stateless:?}");
    Ok(())
}

#[test]
fn a_callback_with_a_state_gives_no_code_without_it() -> Result<(), Error> {
    let problem = |callback: Callback| match danger::code_without_state(callback).unwrap_err().kind() {
        ErrorKind::Callback(problem) => problem.clone(),
        kind => panic!("{kind:?}"),
    };
    for query in ["code=a&state=b", "error=access_denied&state=b"] {
        assert_eq!(problem(Callback::from_query(query)?), CallbackError::UnexpectedState, "{query}");
    }
    assert_eq!(problem(Callback::from_parts("a", Some(State::new("b")))), CallbackError::UnexpectedState);
    let denied = CallbackError::Authorization("access_denied".into());
    assert_eq!(problem(Callback::from_query("error=access_denied")?), denied);
    for callback in [Callback::from_query("code=a%2Bb&state=")?, Callback::from_parts("a+b", None)] {
        assert_eq!(danger::code_without_state(callback)?.expose_secret(), "a+b");
    }
    Ok(())
}

#[test]
fn a_secret_that_is_no_string_is_refused_without_its_value() {
    fn refused<T: serde::de::DeserializeOwned>(what: &str) {
        for json in [
            "4242424242",
            "-4242424242",
            "4242.5",
            "18446744073709551615",
            "true",
            "null",
            "[\"canary\"]",
            "{\"canary\":1}",
        ] {
            let value = serde_json::from_str::<serde_json::Value>(json).unwrap();
            let errors = [serde_json::from_str::<T>(json).err(), serde_json::from_value::<T>(value).err()];
            for error in errors {
                let error = error.unwrap_or_else(|| panic!("{what} of {json}"));
                let text = format!("{error} {error:?}");
                assert!(text.contains("a secret must be a string"), "{text}");
                for value in ["4242", "18446744073709551615", "true", "canary"] {
                    assert!(!text.contains(value), "{text}");
                }
            }
        }
        assert!(serde_json::from_str::<T>("\"a \\\"secret\\\"\"").is_ok());
    }
    refused::<workos_auth::AccessToken>("an access token");
    refused::<workos_auth::RefreshToken>("a refresh token");
    refused::<workos_auth::Password>("a password");
    refused::<workos_auth::TotpCode>("a code");
}

#[test]
fn an_authorization_url_shows_itself_to_the_redirect_only() -> Result<(), Error> {
    let client = PublicClient::new("client_123")?;
    let session = client.authorize(RedirectUri::new("https://example.com/callback")?).authkit().begin()?;
    let url = session.url().clone();
    assert!(url.as_str().starts_with("https://api.workos.com/user_management/authorize?client_id=client_123&"));
    assert_eq!(format!("{url:?}"), "AuthorizationUrl([REDACTED])");
    Ok(())
}

#[test]
fn what_a_return_path_asks_for_is_not_in_its_debug() {
    for (path, shown) in [
        ("/inbox", "ReturnPath(/inbox)"),
        ("/invite?token=secret#secret", "ReturnPath(/invite?…)"),
        ("/docs#secret", "ReturnPath(/docs#…)"),
    ] {
        let path = ReturnPath::new(path).unwrap();
        assert_eq!(format!("{path:?}"), shown);
    }
}
