//! What `docs/security.md` says about cookies: each is made, and compared with the table.

use std::collections::BTreeSet;
use std::error::Error as StdError;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response};
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore, SessionLayer};
use workos_auth::testing::{AuthKit, Browser, Endpoint};
use workos_auth::{
    Client, ConfidentialClient, CookiePassword, Error, LoginHandlers, RedirectUri, SessionCookie, SessionManager,
    SessionState,
};

type Outcome<T = ()> = Result<T, Box<dyn StdError>>;
/// Names, each with its attributes.
type Cookies = BTreeSet<(String, String)>;

/// The rows of the table, as name and attributes.
fn documented() -> Cookies {
    let table = include_str!("../../docs/security.md").split_once("| who sets it | name | attributes |\n");
    let rows = table.expect("the table").1.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
        (cells[2].clone(), cells[3].clone())
    });
    rows.collect()
}

/// The cookies that a response sets, without their values; and those that it clears, as lines.
fn cookies<B>(response: &Response<B>) -> Outcome<(Cookies, Vec<String>)> {
    let (mut set, mut cleared) = (BTreeSet::new(), Vec::new());
    for line in response.headers().get_all(SET_COOKIE) {
        let line = line.to_str()?;
        let (pair, attributes) = line.split_once("; ").ok_or("no attributes")?;
        let (name, value) = pair.split_once('=').ok_or("no value")?;
        let name = match name.split_once("workos-login-") {
            Some((prefix, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                format!("{prefix}workos-login-<hash>")
            }
            _ => name.to_owned(),
        };
        if value.is_empty() {
            cleared.push(format!("{name}; {attributes}"));
        } else {
            set.insert((name, attributes.to_owned()));
        }
    }
    Ok((set, cleared))
}

/// The `Cookie` header of a browser that got only this response.
fn header<B>(response: &Response<B>) -> String {
    let lines = response.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
}

/// A login and a logout, and the cookies that were set on the way.
async fn login_and_logout<L: SessionLayer>(
    authkit: &AuthKit,
    client: &ConfidentialClient,
    sessions: L,
    origin: &str,
) -> Outcome<Cookies> {
    let redirect = RedirectUri::new(format!("{origin}/callback"))?;
    let handlers = LoginHandlers::new(client.clone(), sessions, Parking::new(CookiePassword::generate()?), redirect);
    let (request, ()) = Request::get("/login").body(())?.into_parts();
    let begun = handlers.begin_login(&request)?;
    let (mut all, _) = cookies(&begun)?;
    let location = begun.headers().get(LOCATION).ok_or("no redirect")?.to_str()?;
    let callback = Browser::new()?.sign_in(location, "ada@example.com").await?;

    let path = callback.strip_prefix(origin).ok_or("another origin")?.to_owned();
    let (request, ()) = Request::get(path).header(COOKIE, header(&begun)).body(())?.into_parts();
    let finished = handlers.finish_login(&request).await?.response;
    let (session, cleared) = cookies(&finished)?;
    // The login cookie is cleared by the same attributes.
    let (name, attributes) = all.first().ok_or("no login cookie")?;
    let expected = format!("{name}; {}", attributes.replace("Max-Age=600", "Max-Age=0"));
    assert_eq!(cleared, [expected]);

    let request = Request::post("/logout").header(COOKIE, header(&finished)).header("origin", origin);
    let logged_out = handlers.logout(&request.body(())?.into_parts().0).await?;
    let (name, attributes) = session.first().ok_or("no session cookie")?;
    let expected = format!("{name}; {}", attributes.replace("Max-Age=34560000", "Max-Age=0"));
    assert_eq!(cookies(&logged_out)?.1, [expected]);

    all.extend(session);
    assert!(authkit.requests_to(Endpoint::Authenticate) > 0);
    Ok(all)
}

#[tokio::test]
async fn each_cookie_is_the_one_in_the_guide() -> Outcome {
    let (https, http) = ("https://example.com", "http://127.0.0.1:8080");
    let builder = AuthKit::builder().redirect_uri(format!("{https}/callback"));
    let authkit = builder.redirect_uri(format!("{http}/callback")).start().await?;
    let builder = Client::builder().client_id(authkit.client_id()).api_key(authkit.api_key());
    let client = builder.base_url(authkit.base_url()).build()?;
    let cookie = || SessionCookie::new(CookiePassword::generate()?);
    let in_cookies = |cookie: SessionCookie| Ok::<_, Error>(CookieSessions::new(client.clone(), cookie));
    let in_store = || SessionManager::new(client.clone(), MemorySessionStore::new());

    let mut made = BTreeSet::new();
    for origin in [https, http] {
        made.extend(login_and_logout(&authkit, &client, in_store(), origin).await?);
        made.extend(login_and_logout(&authkit, &client, in_cookies(cookie()?)?, origin).await?);
        let shared = in_cookies(cookie()?.without_host_prefix())?;
        made.extend(login_and_logout(&authkit, &client, shared, origin).await?);
    }
    assert_eq!(made, documented());
    Ok(())
}

/// Session fixation: an attacker plants a cookie of the attacker's own session in the browser of a user who then signs in.
#[tokio::test]
async fn a_login_takes_over_no_session_that_the_browser_brings() -> Outcome {
    let origin = "https://example.com";
    let authkit = AuthKit::builder().redirect_uri(format!("{origin}/callback")).start().await?;
    let builder = Client::builder().client_id(authkit.client_id()).api_key(authkit.api_key());
    let client = builder.base_url(authkit.base_url()).build()?;
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    let redirect = RedirectUri::new(format!("{origin}/callback"))?;
    let handlers = LoginHandlers::new(client, sessions, Parking::new(CookiePassword::generate()?), redirect);
    let sign_in = async |planted: Option<&str>| {
        let (request, ()) = Request::get("/login").body(())?.into_parts();
        let begun = handlers.begin_login(&request)?;
        let location = begun.headers().get(LOCATION).ok_or("no redirect")?.to_str()?;
        let callback = Browser::new()?.sign_in(location, "ada@example.com").await?;
        let path = callback.strip_prefix(origin).ok_or("another origin")?.to_owned();
        let cookies = [planted.unwrap_or("other=1"), &header(&begun)].join("; ");
        let (request, ()) = Request::get(path).header(COOKIE, cookies).body(())?.into_parts();
        let finished = header(&handlers.finish_login(&request).await?.response);
        let session = finished.split("; ").find(|cookie| cookie.starts_with("__Host-workos-session="));
        Outcome::Ok(session.ok_or("no session")?.to_owned())
    };
    let is_active = async |cookie: &str| {
        let (request, ()) = Request::get("/").header(COOKIE, cookie).body(())?.into_parts();
        let mut active = false;
        let _ = handlers.authenticate(&request).await.respond(|state| {
            active = matches!(state, SessionState::Active(_));
            Response::new(())
        });
        Outcome::Ok(active)
    };

    let planted = sign_in(None).await?;
    assert!(is_active(&planted).await?);
    let own = sign_in(Some(&planted)).await?;
    assert_ne!(own, planted);
    assert!(is_active(&own).await?);
    assert!(!is_active(&planted).await?, "what the attacker knows is signed out");
    assert!(!is_active("__Host-workos-session=chosen-by-the-attacker").await?);
    Ok(())
}
