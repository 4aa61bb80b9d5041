//! Who makes a request: users, tokens and keys at the same application, and what everybody else is told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRef, Path};
use axum::routing::get;
use http::{HeaderMap, Request};
use tower::ServiceExt;
use workos_auth::api::{ApiKeyValidator, ValidApiKey};
use workos_auth::axum::Sessions;
use workos_auth::caller::Caller;
use workos_auth::connect::{NotAuthorized, ResourceServer, ResourceToken, Scope, Scoped};
use workos_auth::handlers::{KeyNotAdmitted, Permission, Permitted, PermittedKey};
use workos_auth::id::ResourceUri;
use workos_auth::parking::Parking;
use workos_auth::session::MemorySessionStore;
use workos_auth::testing::{AuthKit, Endpoint, Fault, TestApiKey, TestMembership, TestUser};
use workos_auth::{
    CookiePassword, EmailAddress, Error, ExposeSecret, LoginHandlers, OrganizationId, Password, RedirectUri,
    SessionManager, SignedIn,
};

use crate::support::Outcome;
use crate::support::login::PASSWORD;

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const RESOURCE: &str = "https://api.example.com";
/// What a client without a good token is told.
const CHALLENGE: &str = "Bearer resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
const BAD_TOKEN: &str = "Bearer error=\"invalid_token\", resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
const BAD_KEY: &str = "Bearer error=\"invalid_token\"";
const KEY: &str = "Bearer sk_of_a_customer";
const BLIND_KEY: &str = "Bearer sk_without_permission";
const MADE_UP_KEY: &str = "Bearer sk_made_up";

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

impl Scope for WritePosts {
    const NAME: &'static str = "write:posts";
}

#[derive(Clone, FromRef)]
struct State {
    sessions: Sessions,
    server: ResourceServer,
    keys: ApiKeyValidator,
}

/// Each says who was let in.
fn routes() -> Router<State> {
    Router::new()
        .route("/user", get(async |user: SignedIn| format!("user {}", user.user().email)))
        .route("/token", get(async |token: ResourceToken| format!("token {:?}", token.subject())))
        .route("/key", get(async |key: ValidApiKey| format!("key of {}", key.organization_id())))
        .route("/any", get(any))
        .route("/any/{owner}", get(of_any))
        .route("/token/{owner}", get(of_token))
        .route("/key/{owner}", get(of_key))
        .route("/user/write", get(async |user: Permitted<WritePosts>| format!("user {}", user.user().email)))
        .route("/token/write", get(async |token: Scoped<WritePosts>| format!("token {:?}", token.subject())))
        .route("/key/write", get(async |key: PermittedKey<WritePosts>| format!("key of {}", key.organization_id())))
}

async fn any(caller: Caller) -> String {
    let organization = caller.organization_id().map_or_else(|| "nowhere".to_owned(), ToString::to_string);
    match caller {
        Caller::User(user) => format!("user {} in {organization}", user.user().email),
        Caller::Token(token) => format!("token {:?} in {organization}", token.subject()),
        Caller::Key(key) => format!("key of {} in {organization}", key.organization_id()),
    }
}

async fn of_any(Path(owner): Path<OrganizationId>, caller: Caller) -> Result<&'static str, Error> {
    caller.in_organization(&owner)?;
    Ok("theirs")
}

async fn of_token(Path(owner): Path<OrganizationId>, token: ResourceToken) -> Result<&'static str, NotAuthorized> {
    token.in_organization(&owner)?;
    Ok("theirs")
}

async fn of_key(Path(owner): Path<OrganizationId>, key: ValidApiKey) -> Result<&'static str, KeyNotAdmitted> {
    key.in_organization(&owner)?;
    Ok("theirs")
}

struct Site {
    authkit: AuthKit,
    app: Router,
    /// Of users, with their names.
    ada: String,
    bob: String,
}

impl Site {
    async fn start() -> Outcome<Self> {
        let ada = TestMembership::new("org_ada").permission("posts:write");
        let authkit = AuthKit::builder()
            .user(TestUser::new(ADA).password(PASSWORD).organization(ada))
            .user(TestUser::new(BOB).password(PASSWORD))
            .customer_api_key(TestApiKey::of_organization("sk_of_a_customer", "org_customer").permission("posts:write"))
            .customer_api_key(TestApiKey::of_organization("sk_without_permission", "org_customer"))
            .start()
            .await?;
        let client = authkit.confidential_client_builder().retries(0).build()?;
        let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
        let mut cookies = Vec::new();
        for email in [ADA, BOB] {
            let login = client.authenticate_with_password(EmailAddress::new(email)?, Password::new(PASSWORD)).send();
            let handle = sessions.sign_in(login.await?).await?;
            cookies.push(format!("workos-session={}", handle.expose_secret()));
        }
        let [ada, bob] = <[String; 2]>::try_from(cookies).map_err(|_| "two cookies")?;

        let (server, keys) = (authkit.resource_server(ResourceUri::new(RESOURCE)?)?, client.api_keys().validator());
        let parking = Parking::new(CookiePassword::generate()?);
        let redirect_uri = RedirectUri::new("http://127.0.0.1:3000/callback")?;
        let handlers = Arc::new(LoginHandlers::new(client, sessions, parking, redirect_uri));
        let app = handlers.app_with(routes(), |sessions| State { sessions, server, keys });
        Ok(Self { authkit, app, ada, bob })
    }

    fn token(&self, scopes: &str) -> Outcome<String> {
        let token =
            self.authkit.connect_token().audience(RESOURCE).machine("client_machine").organization("org_machine");
        let token = token.scopes(scopes).lifetime(Duration::from_secs(3600)).sign()?;
        Ok(format!("Bearer {}", token.expose_secret()))
    }

    /// Status, challenges and text.
    async fn ask(&self, path: &str, headers: &[(&'static str, &str)]) -> Outcome<(u16, Vec<String>, String)> {
        let (status, headers, text) = self.ask_for_all(path, headers).await?;
        let challenges = headers.get_all("www-authenticate").iter().map(|value| value.to_str().map(str::to_owned));
        Ok((status, challenges.collect::<Result<_, _>>()?, text))
    }

    async fn ask_for_all(&self, path: &str, headers: &[(&'static str, &str)]) -> Outcome<(u16, HeaderMap, String)> {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        let (parts, body) = self.app.clone().oneshot(request.body(Body::empty())?).await?.into_parts();
        assert_eq!(parts.headers["cache-control"], "no-store", "{path}");
        let body = String::from_utf8(to_bytes(body, 1000).await?.to_vec())?;
        Ok((parts.status.as_u16(), parts.headers, body))
    }
}

fn refused(status: u16, challenges: &[&str], text: &str) -> (u16, Vec<String>, String) {
    (status, challenges.iter().map(ToString::to_string).collect(), text.to_owned())
}

fn answer(text: &str) -> (u16, Vec<String>, String) {
    refused(200, &[], text)
}

#[tokio::test]
async fn a_route_is_reached_by_those_whom_it_names() -> Outcome {
    const MACHINE: &str = "token Machine(ClientId(client_machine))";
    let site = Site::start().await?;
    let token = site.token("write:posts")?;
    let callers = [("cookie", &*site.ada), ("authorization", &*token), ("authorization", KEY)];
    let sign_in = refused(401, &["Cookie"], "Please sign in.");
    let no_token = refused(401, &[CHALLENGE], "This needs an access token.");
    let bad_token = refused(401, &[BAD_TOKEN], "This needs an access token.");
    let no_key = refused(401, &["Bearer"], "A valid API key is needed.");
    let bad_key = refused(401, &[BAD_KEY], "A valid API key is needed.");
    let user = answer("user ada@example.com");
    for (path, [by_user, by_token, by_key]) in [
        ("/user", [user.clone(), sign_in.clone(), sign_in.clone()]),
        ("/user/write", [user, sign_in.clone(), sign_in]),
        ("/token", [no_token.clone(), answer(MACHINE), bad_token.clone()]),
        ("/token/write", [no_token, answer(MACHINE), bad_token]),
        ("/key/write", [no_key, bad_key, answer("key of org_customer")]),
        (
            "/any",
            [
                answer("user ada@example.com in org_ada"),
                answer(&format!("{MACHINE} in org_machine")),
                answer("key of org_customer in org_customer"),
            ],
        ),
    ] {
        for (caller, expected) in callers.into_iter().zip([by_user, by_token, by_key]) {
            assert_eq!(site.ask(path, &[caller]).await?, expected, "{path} {}", caller.0);
        }
    }
    assert_eq!(site.ask("/any", &[("cookie", &site.bob)]).await?, answer("user bob@example.com in nowhere"));
    Ok(())
}

#[tokio::test]
async fn gates_refuse_whom_they_know_and_do_not_permit() -> Outcome {
    let site = Site::start().await?;
    let token = site.token("read:posts")?;
    let scope = "Bearer error=\"insufficient_scope\", scope=\"write:posts\", resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
    for (path, caller, expected) in [
        ("/user/write", ("cookie", &*site.bob), refused(403, &[], "You are not allowed to do that.")),
        ("/token/write", ("authorization", &*token), refused(403, &[scope], "The access token lacks a scope.")),
        ("/key/write", ("authorization", BLIND_KEY), refused(403, &[], "You are not allowed to do that.")),
        ("/key", ("authorization", BLIND_KEY), answer("key of org_customer")),
    ] {
        assert_eq!(site.ask(path, &[caller]).await?, expected, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_has_one_caller() -> Outcome {
    let site = Site::start().await?;
    let (cookie, token) = (("cookie", &*site.ada), site.token("")?);
    // A bearer wins, and a bad one isn't made up for by the cookie.
    let no_token = || refused(401, &[BAD_TOKEN], "This needs an access token.");
    for (bearer, expected) in [
        (KEY, answer("key of org_customer in org_customer")),
        (&*token, answer("token Machine(ClientId(client_machine)) in org_machine")),
        (MADE_UP_KEY, refused(401, &[BAD_KEY], "A valid API key is needed.")),
        ("Bearer a.b.c", no_token()),
        ("Bearer", no_token()),
        ("Bearer sk_of_a_customer, Bearer sk_of_a_customer", no_token()),
        // Another scheme is another's business.
        ("Basic YWRhOnBhc3N3b3Jk", answer("user ada@example.com in org_ada")),
    ] {
        assert_eq!(site.ask("/any", &[cookie, ("authorization", bearer)]).await?, expected, "{bearer}");
        // The order of the headers says nothing.
        assert_eq!(site.ask("/any", &[("authorization", bearer), cookie]).await?, expected, "{bearer}");
    }
    let repeated = [cookie, ("authorization", KEY), ("authorization", KEY)];
    let unclear = "Bearer error=\"invalid_request\", resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
    let expected = refused(400, &[unclear], "The request has several Authorization headers.");
    assert_eq!(site.ask("/any", &repeated).await?, expected);
    // A route for users is for users, whatever else the request brings.
    for bearer in [KEY, &*token, MADE_UP_KEY] {
        let seen = site.ask("/user", &[cookie, ("authorization", bearer)]).await?;
        assert_eq!(seen, answer("user ada@example.com"), "{bearer}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_told_both_ways_in() -> Outcome {
    let site = Site::start().await?;
    let expected = refused(401, &[CHALLENGE, "Cookie"], "Please sign in.");
    assert_eq!(site.ask("/any", &[]).await?, expected);
    assert_eq!(site.ask("/any", &[("cookie", "workos-session=made-up")]).await?, expected);
    // A page leads to the login, and says nothing of tokens.
    let (status, headers, _) = site.ask_for_all("/any", &[("accept", "text/html")]).await?;
    assert_eq!((status, &headers["location"]), (303, &"/login?return_to=/any".parse()?));
    assert!(!headers.contains_key("www-authenticate"));
    Ok(())
}

#[tokio::test]
async fn an_outage_refuses_nobody_for_good() -> Outcome {
    let site = Site::start().await?;
    let token = site.token("")?;
    site.authkit.inject(Endpoint::All, Fault::Status(503, None), usize::MAX);
    // The user's access token expires, so that the session can't be told.
    site.authkit.advance(Duration::from_secs(301));
    for caller in [("cookie", &*site.ada), ("authorization", &*token), ("authorization", KEY)] {
        let (status, headers, text) = site.ask_for_all("/any", &[caller]).await?;
        let text_is = "This is not available at the moment. Please try again.";
        assert_eq!((status, text.as_str()), (503, text_is), "{caller:?}");
        assert!(headers.contains_key("retry-after") && !headers.contains_key("www-authenticate"), "{caller:?}");
    }
    site.authkit.heal();
    // Keys are asked for again after 30 seconds.
    site.authkit.advance(Duration::from_secs(31));
    for (caller, text) in [
        (("cookie", &*site.ada), "user ada@example.com in org_ada"),
        (("authorization", &*token), "token Machine(ClientId(client_machine)) in org_machine"),
        (("authorization", KEY), "key of org_customer in org_customer"),
    ] {
        assert_eq!(site.ask("/any", &[caller]).await?, answer(text));
    }
    Ok(())
}

#[tokio::test]
async fn a_flood_of_made_up_keys_is_told_to_come_later() -> Outcome {
    let site = Site::start().await?;
    let mut seen = Vec::new();
    for number in 0..80 {
        let (status, headers, text) =
            site.ask_for_all("/any", &[("authorization", &format!("Bearer sk_made_up_{number}"))]).await?;
        if status == 429 {
            assert_eq!(text, "These are too many requests. Please try again.");
            assert_eq!((&headers["retry-after"], headers.contains_key("www-authenticate")), (&"1".parse()?, false));
        }
        seen.push(status);
    }
    assert!(seen.starts_with(&[401]) && seen.contains(&429), "{seen:?}");
    assert!(seen.iter().all(|status| matches!(status, 401 | 429)), "{seen:?}");
    assert!(site.authkit.requests_to(Endpoint::ApiKeyValidation) < 80);
    // Users and tokens don't wait for keys.
    assert_eq!(site.ask("/any", &[("cookie", &site.ada)]).await?, answer("user ada@example.com in org_ada"));
    Ok(())
}

#[tokio::test]
async fn each_caller_acts_in_its_own_organization() -> Outcome {
    let site = Site::start().await?;
    let token = site.token("")?;
    let nowhere = site.authkit.connect_token().audience(RESOURCE).user("user_1").sign()?;
    let nowhere = format!("Bearer {}", nowhere.expose_secret());
    for (path, header, value, status) in [
        ("/any/org_ada", "cookie", &*site.ada, 200),
        ("/any/org_customer", "cookie", &site.ada, 403),
        ("/any/org_ada", "cookie", &site.bob, 403),
        ("/any/org_machine", "authorization", &token, 200),
        ("/any/org_ada", "authorization", &token, 403),
        ("/any/org_ada", "authorization", &nowhere, 403),
        ("/any/org_customer", "authorization", KEY, 200),
        ("/any/org_ada", "authorization", KEY, 403),
        ("/token/org_machine", "authorization", &token, 200),
        ("/token/org_ada", "authorization", &token, 403),
        ("/token/org_ada", "authorization", &nowhere, 403),
        ("/key/org_customer", "authorization", KEY, 200),
        ("/key/org_ada", "authorization", KEY, 403),
    ] {
        let (given, challenges, _) = site.ask(path, &[(header, value)]).await?;
        assert_eq!((given, challenges), (status, vec![]), "{path} {header}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_asks_workos_whether_an_access_token_is_a_key() -> Outcome {
    let site = Site::start().await?;
    let token = site.token("write:posts")?;
    assert!(token.len() > 512, "longer than a key");
    for token in [&*token, "Bearer a.b.c"] {
        for path in ["/key", "/key/write"] {
            let (status, challenges, _) = site.ask(path, &[("authorization", token)]).await?;
            assert_eq!((status, challenges), (401, vec![BAD_KEY.to_owned()]), "{path}");
        }
    }
    assert_eq!(site.authkit.requests_to(Endpoint::ApiKeyValidation), 0);
    Ok(())
}
