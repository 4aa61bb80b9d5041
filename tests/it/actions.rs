//! Actions: which requests are taken for questions of WorkOS, what they say, and the exact answers.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use workos_auth::action::{
    Action, ActionError, ActionErrorKind, ActionSecret, Actions, AuthenticationAction, AuthenticationContext,
    DomainState, UserRegistrationAction,
};
use workos_auth::api::CreateInvitation;
use workos_auth::login::AuthenticationMethod;
use workos_auth::testing::{ActionVerdict, TestMembership, TestUser};
use workos_auth::{EmailAddress, OrganizationId};

use crate::support::Outcome;
use crate::support::application::Application;

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@elsewhere.example";
const CANARY: &str = "canary-in-an-action";
const MILLISECOND: Duration = Duration::from_millis(1);
const TOLERANCE: Duration = Duration::from_secs(30);

async fn start() -> Outcome<Application> {
    let ada = TestUser::new(ADA).name("Ada", "Lovelace").organization(TestMembership::new("org_one").role("admin"));
    Application::of([ada, TestUser::new("bob@example.com")]).await
}

fn secret(name: &str) -> ActionSecret {
    ActionSecret::new(format!("secret-of-an-endpoint-{name}")).unwrap()
}

fn actions(app: &Application) -> Actions {
    Actions::new(&app.client, secret("one"))
}

fn sign_in(app: &Application) -> Outcome<Request<Bytes>> {
    Ok(app.authkit.authentication_action(&secret("one"), ADA)?)
}

fn register(app: &Application) -> Outcome<Request<Bytes>> {
    Ok(app.authkit.user_registration_action(&secret("one"), EVE)?)
}

fn verify(actions: &Actions, request: &Request<Bytes>) -> Result<Action, ActionError> {
    actions.verify(request.headers(), request.body())
}

fn authentication(action: Action) -> AuthenticationAction {
    let Action::Authentication(action) = action else { panic!("{action:?}") };
    action
}

fn registration(action: Action) -> UserRegistrationAction {
    let Action::UserRegistration(action) = action else { panic!("{action:?}") };
    action
}

/// It must be refused, by both ways in, and without a run of the handler.
async fn refused(actions: &Actions, headers: &HeaderMap, body: &[u8]) -> ActionErrorKind {
    let ran = async |_| -> Result<_, Infallible> { panic!("the handler of a refused request ran") };
    let error = actions.handle(headers, body, ran).await.unwrap_err();
    assert!(error.source().is_none());
    assert_eq!(actions.verify(headers, body).unwrap_err().kind(), error.kind());
    assert!(!format!("{error} {error:?}").contains(CANARY));
    error.kind()
}

#[tokio::test]
async fn a_sign_in_says_who_and_where() -> Outcome {
    let app = start().await?;
    let action = authentication(verify(&actions(&app), &sign_in(&app)?)?);
    assert!(action.id.as_str().starts_with("action_"));
    assert_eq!((action.user.email.as_str(), action.user.first_name.as_deref()), (ADA, Some("Ada")));
    let organization = action.organization.as_ref().ok_or("no organization")?;
    assert_eq!((organization.id.as_str(), organization.name.as_str()), ("org_one", "Organization org_one"));
    let membership = action.organization_membership.as_ref().ok_or("no membership")?;
    assert_eq!((membership.role.slug.as_str(), &membership.user_id), ("admin", &action.user.id));
    assert_eq!(action.authentication_method, Some(AuthenticationMethod::Password));
    assert_eq!(action.ip_address.as_deref(), Some("203.0.113.7"));
    assert_eq!(action.user_agent.as_deref(), Some("Mozilla/5.0"));
    assert_eq!(action.device_fingerprint.as_deref(), Some("a-device"));
    assert_eq!(action.issuer.as_deref(), Some(app.authkit.base_url()));

    let nowhere = app.authkit.authentication_action(&secret("one"), "bob@example.com")?;
    let action = authentication(verify(&actions(&app), &nowhere)?);
    assert_eq!((&action.organization, &action.organization_membership), (&None, &None));
    assert!(app.authkit.authentication_action(&secret("one"), EVE).is_err(), "there is no such user");
    Ok(())
}

#[tokio::test]
async fn a_registration_says_who_and_by_which_invitation() -> Outcome {
    let app = start().await?;
    let action = registration(verify(&actions(&app), &register(&app)?)?);
    assert_eq!((action.user_data.email.as_str(), &action.user_data.name, &action.invitation), (EVE, &None, &None));

    let invitation = CreateInvitation::new(EmailAddress::new(EVE)?).organization_id(OrganizationId::new("org_one")?);
    let invitation = app.client.invitations().create(&invitation.role_slug("admin")).send().await?;
    let action = registration(verify(&actions(&app), &register(&app)?)?);
    let seen = action.invitation.as_ref().ok_or("no invitation")?;
    assert_eq!((&seen.id, seen.email.as_str(), &seen.role_slug), (&invitation.id, EVE, &Some("admin".to_owned())));
    assert_eq!((&seen.organization_id, &seen.state), (&invitation.organization_id, &Some(invitation.state)));
    Ok(())
}

/// What WorkOS's SDK for Node has in its tests, and what its types call optional or add.
#[tokio::test]
async fn the_least_and_the_most_are_read() -> Outcome {
    let app = start().await?;
    let at = "2024-10-22T17:12:50.746Z";
    let user = json!({"object": "user", "id": "01JATCHZVEC5EPANDPEZVM68Y9", "email": ADA, "first_name": "Jane", "last_name": "Doe",
        "email_verified": true, "profile_picture_url": null, "created_at": at, "updated_at": at});
    let organization = json!({"object": "organization", "id": "01JATCMZJY26PQ59XT9BNT0FNN", "name": "Foo Corp",
        "allow_profiles_outside_organization": false, "lookup_key": "my-key", "created_at": at, "updated_at": at,
        "domains": [{"object": "organization_domain", "id": "org_domain_1", "domain": "foo-corp.com", "state": "verified",
            "organization_id": "01JATCMZJY26PQ59XT9BNT0FNN", "verification_token": CANARY}]});
    let least = json!({"id": "01JATCMZJY26PQ59XT9BNT0FNN", "object": "authentication_action_context", "user": user});
    let mut most = least.clone();
    most["organization"] = organization;
    most["something_new"] = json!({"token": CANARY});
    for (body, domains) in [(least, None), (most, Some(vec![("foo-corp.com", DomainState::Verified)]))] {
        let request = app.authkit.sign_action(&secret("one"), body.to_string())?;
        let action = authentication(verify(&actions(&app), &request)?);
        let seen = action.organization.as_ref().map(|organization| {
            organization.domains.iter().map(|domain| (domain.domain.as_str(), domain.state.clone())).collect()
        });
        assert_eq!(seen, domains);
        assert!(!format!("{action:?}").contains(CANARY));
    }

    let invitation = json!({"object": "invitation", "id": "01JBVZWH8HJ855YZ5BWHG1WNZN", "email": ADA, "expires_at": at, "created_at": at,
        "updated_at": at, "accepted_at": at, "revoked_at": null, "organization_id": "01JBW46BTKAA98WZN8826XQ2YP",
        "inviter_user_id": "01JBVZWAEPWAE3YYKBVT0AF81F", "token": CANARY, "accept_invitation_url": CANARY});
    let body = json!({"id": "1", "object": "user_registration_action_context", "invitation": invitation,
        "user_data": {"object": "user_data", "email": ADA, "first_name": "Jane", "last_name": "Doe"}});
    let request = app.authkit.sign_action(&secret("one"), body.to_string())?;
    let action = registration(verify(&actions(&app), &request)?);
    assert_eq!((action.user_data.last_name.as_deref(), action.invitation.is_some()), (Some("Doe"), true));
    assert!(!format!("{action:?}").contains(CANARY), "an invitation's token isn't kept");
    Ok(())
}

#[tokio::test]
async fn answers_are_exact() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    let bytes = |answer: workos_auth::action::ActionAnswer| {
        let response = answer.into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers().len(), 1);
        response.into_body()
    };
    // The signatures are those of `openssl dgst -sha256 -hmac`.
    let (in_, up) = (|| verify(&actions, &sign_in(&app).unwrap()), || verify(&actions, &register(&app).unwrap()));
    let allowed = "32b8370111269588862b4758a31c4b7b4c2405e158c0bc51f62b685f1db74f7f";
    assert_eq!(
        bytes(authentication(in_()?).allow()),
        format!(
            "{{\"object\":\"authentication_action_response\",\"payload\":{{\"timestamp\":1767225600000,\"verdict\":\"Allow\"}},\
             \"signature\":\"{allowed}\"}}"
        )
    );
    // The kind isn't signed.
    assert_eq!(
        bytes(registration(up()?).allow()),
        format!(
            "{{\"object\":\"user_registration_action_response\",\"payload\":{{\"timestamp\":1767225600000,\"verdict\":\"Allow\"}},\
             \"signature\":\"{allowed}\"}}"
        )
    );
    let denied = "{\"object\":\"authentication_action_response\",\"payload\":{\"timestamp\":1767225600000,\"verdict\":\"Deny\"},\
                  \"signature\":\"639177133d4afad90d7b363768be690b0148774382167b0287544a51e4323744\"}";
    assert_eq!(bytes(authentication(in_()?).deny("")), denied);
    assert_eq!(
        bytes(registration(up()?).deny("Not \"now\": a\\b\n\u{1}</é🦀\u{2028}")),
        "{\"object\":\"user_registration_action_response\",\"payload\":{\"timestamp\":1767225600000,\"verdict\":\"Deny\",\
         \"error_message\":\"Not \\\"now\\\": a\\\\b\\n\\u0001</é🦀\u{2028}\"},\"signature\":\"38fed499355b3f2c818fd15828fe953cbbb721e3a09ace1e288cc30483705367\"}"
    );
    // The answers of whatever Action it is are the same.
    assert_eq!(bytes(in_()?.deny("")), denied);
    assert!(bytes(in_()?.allow()).starts_with("{\"object\":\"authentication_action_response\""));
    assert!(bytes(up()?.allow()).starts_with("{\"object\":\"user_registration_action_response\""));
    assert!(bytes(up()?.deny("")).starts_with("{\"object\":\"user_registration_action_response\""));
    assert!(in_()?.allow().is_allowed() && !in_()?.deny("").is_allowed());
    Ok(())
}

#[tokio::test]
async fn an_answer_is_of_the_moment_in_which_it_is_sent() -> Outcome {
    let app = start().await?;
    let request = sign_in(&app)?;
    let answer = verify(&actions(&app), &request)?.allow();
    app.clock.advance(Duration::from_secs(90));
    let body = answer.into_response().into_body();
    assert_eq!(serde_json::from_str::<Value>(&body)?["payload"]["timestamp"], 1_767_225_690_000_u64);
    assert_eq!(app.authkit.read_action_answer(&secret("one"), &request, &body)?, ActionVerdict::Allow);
    Ok(())
}

#[tokio::test]
async fn handlers_are_asked_and_their_answers_signed() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    let decide = async |action| {
        Ok::<_, io::Error>(match action {
            Action::Authentication(sign_in) => sign_in.allow(),
            Action::UserRegistration(user) if user.user_data.email == ADA => user.allow(),
            other => other.deny("Not now."),
        })
    };
    let not_now = ActionVerdict::Deny(Some("Not now.".to_owned()));
    let known = app.authkit.user_registration_action(&secret("one"), ADA)?;
    for (request, verdict) in
        [(sign_in(&app)?, ActionVerdict::Allow), (register(&app)?, not_now), (known, ActionVerdict::Allow)]
    {
        let response = actions.handle(request.headers(), request.body(), decide).await?;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(app.authkit.read_action_answer(&secret("one"), &request, response.body())?, verdict);
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_that_fails_answers_nothing() -> Outcome {
    let app = start().await?;
    let request = sign_in(&app)?;
    let failing = async |_| Err(io::Error::other("the database is down"));
    let error = actions(&app).handle(request.headers(), request.body(), failing).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ActionErrorKind::Handler, StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the database is down"));
    assert_eq!(error.to_string(), "the handler failed");
    Ok(())
}

#[tokio::test]
async fn a_changed_or_rewritten_body_is_refused() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    for request in [sign_in(&app)?, register(&app)?] {
        for place in 0..request.body().len() {
            let mut body = request.body().to_vec();
            body[place] ^= 1;
            assert_eq!(refused(&actions, request.headers(), &body).await, ActionErrorKind::WrongSignature, "{place}");
        }
        let text = str::from_utf8(request.body())?;
        let parsed: Value = serde_json::from_str(text)?;
        let rewritten = serde_json::to_string_pretty(&parsed)?;
        for body in
            [format!("{text} "), format!("\u{feff}{text}"), text.replace("\":", "\": "), rewritten, String::new()]
        {
            let kind = refused(&actions, request.headers(), body.as_bytes()).await;
            assert_eq!(kind, ActionErrorKind::WrongSignature, "{body}");
        }
        assert!(verify(&actions, &request).is_ok());
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_lie_are_refused() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    let request = sign_in(&app)?;
    let header = request.headers()["workos-signature"].to_str()?;
    let (time, signature) = header.split_once(", ").ok_or("two parts")?;
    assert_eq!(time, "t=1767225600000");
    let with = |value: String| HeaderMap::from_iter([("workos-signature".parse().unwrap(), value.parse().unwrap())]);
    for (value, kind) in [
        (String::new(), ActionErrorKind::MalformedSignature),
        (time.to_owned(), ActionErrorKind::MalformedSignature),
        (signature.to_owned(), ActionErrorKind::MalformedSignature),
        (format!("{signature}, {time}"), ActionErrorKind::MalformedSignature),
        (format!("{header}, {signature}"), ActionErrorKind::MalformedSignature),
        // Two headers that a proxy has joined.
        (format!("{header}, {header}"), ActionErrorKind::MalformedSignature),
        (format!("{time}, {}", signature.to_uppercase()), ActionErrorKind::MalformedSignature),
        (format!("{time}, v1="), ActionErrorKind::MalformedSignature),
        (format!("{time}, v1={}", "0".repeat(64)), ActionErrorKind::WrongSignature),
        // The time is signed, too.
        (format!("t=1767225600001, {signature}"), ActionErrorKind::WrongSignature),
        (format!("t=1767225600, {signature}"), ActionErrorKind::WrongSignature),
    ] {
        assert_eq!(refused(&actions, &with(value.clone()), request.body()).await, kind, "{value}");
    }
    assert_eq!(refused(&actions, &HeaderMap::new(), request.body()).await, ActionErrorKind::MissingSignature);
    let mut twice = request.headers().clone();
    twice.append("workos-signature", header.parse()?);
    assert_eq!(refused(&actions, &twice, request.body()).await, ActionErrorKind::RepeatedSignature);
    Ok(())
}

#[tokio::test]
async fn a_signature_is_good_for_thirty_seconds_before_and_after() -> Outcome {
    // The request waits.
    for (wait, kind) in [
        (Duration::from_millis(29_999), None),
        (TOLERANCE, None),
        (TOLERANCE + MILLISECOND, Some(ActionErrorKind::TooOld)),
        (6 * TOLERANCE, Some(ActionErrorKind::TooOld)),
    ] {
        let app = start().await?;
        let request = sign_in(&app)?;
        app.clock.advance(wait);
        assert_eq!(verify(&actions(&app), &request).err().map(|error| error.kind()), kind, "{wait:?}");
    }
    // WorkOS's clock is ahead.
    for (ahead, kind) in [
        (Duration::from_millis(29_999), None),
        (TOLERANCE, None),
        (TOLERANCE + MILLISECOND, Some(ActionErrorKind::TooNew)),
        (6 * TOLERANCE, Some(ActionErrorKind::TooNew)),
    ] {
        let (workos, app) = (start().await?, start().await?);
        workos.clock.advance(ahead);
        assert_eq!(verify(&actions(&app), &sign_in(&workos)?).err().map(|error| error.kind()), kind, "{ahead:?}");
    }
    // The time of a request that somebody made up says nothing.
    let app = start().await?;
    let request = app.authkit.authentication_action(&secret("another"), ADA)?;
    app.clock.advance(6 * TOLERANCE);
    assert_eq!(verify(&actions(&app), &request).unwrap_err().kind(), ActionErrorKind::WrongSignature);
    Ok(())
}

#[tokio::test]
async fn an_answer_has_the_secret_of_its_request() -> Outcome {
    let app = start().await?;
    let rotating = actions(&app).or_secret(secret("two"));
    for name in ["one", "two"] {
        let request = app.authkit.authentication_action(&secret(name), ADA)?;
        let body = verify(&rotating, &request)?.allow().into_response().into_body();
        for reader in ["one", "two"] {
            let read = app.authkit.read_action_answer(&secret(reader), &request, &body);
            assert_eq!(read.ok(), (name == reader).then_some(ActionVerdict::Allow), "{name} {reader}");
        }
    }
    let request = app.authkit.authentication_action(&secret("three"), ADA)?;
    assert_eq!(verify(&rotating, &request).unwrap_err().kind(), ActionErrorKind::WrongSignature);
    for text in ["", "short", "with a space in its middle", "with-a-l\u{ed}ne-of-text"] {
        let error = ActionSecret::new(text).unwrap_err();
        assert!(error.to_string().contains("action_secret"), "{error}");
    }
    assert_eq!(format!("{:?} {rotating:?}", secret("one")), "ActionSecret([REDACTED]) Actions { secrets: 2, .. }");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_secret_is_shown() -> Outcome {
    let app = start().await?;
    let action = verify(&actions(&app), &sign_in(&app)?)?;
    let (shown, answer) = (format!("{action:?}"), format!("{:?}", action.deny("Not now.")));
    assert!(shown.starts_with("Authentication(AuthenticationAction(AuthenticationContext { id: "), "{shown}");
    assert!(answer.contains("Not now."), "{answer}");
    assert!(!shown.contains("secret-of") && !answer.contains("secret-of"), "{shown} {answer}");
    Ok(())
}

#[tokio::test]
async fn a_large_body_is_refused_before_its_signature_is_computed() -> Outcome {
    let app = start().await?;
    let request = sign_in(&app)?;
    let size = request.body().len();
    assert!(verify(&actions(&app).max_body_bytes(size), &request).is_ok());
    let small = actions(&app).max_body_bytes(size - 1);
    assert_eq!(refused(&small, request.headers(), request.body()).await, ActionErrorKind::TooLarge);
    assert_eq!(verify(&small, &request).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let largest = app.authkit.sign_action(&secret("one"), " ".repeat(256 * 1024))?;
    assert_eq!(refused(&actions(&app), largest.headers(), largest.body()).await, ActionErrorKind::Unreadable);
    let large = app.authkit.sign_action(&secret("one"), " ".repeat(256 * 1024 + 1))?;
    assert_eq!(refused(&actions(&app), large.headers(), large.body()).await, ActionErrorKind::TooLarge);
    Ok(())
}

#[tokio::test]
async fn what_is_signed_and_no_action_is_refused() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    let (mut in_, mut up): (Value, Value) =
        (serde_json::from_slice(sign_in(&app)?.body())?, serde_json::from_slice(register(&app)?.body())?);
    in_["user"]["name"] = json!(CANARY);
    up["user_data"]["name"] = json!(CANARY);
    let with = |action: &Value, name: &str, value: Value| {
        let mut action = action.clone();
        action[name] = value;
        action.to_string()
    };
    let without = |action: &Value, name: &str| {
        let mut action = action.clone();
        action.as_object_mut().unwrap().remove(name).unwrap();
        action.to_string()
    };
    let text = in_.to_string();
    let unreadable = [
        String::new(),
        "null".to_owned(),
        "[1]".to_owned(),
        "{}".to_owned(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{text}"),
        // The first says one thing and the second another.
        format!("{{\"object\":\"user_registration_action_context\",{}", &text[1..]),
        format!("{{\"user\":{},{}", in_["user"], &text[1..]),
        without(&in_, "object"),
        without(&in_, "id"),
        without(&in_, "user"),
        without(&up, "user_data"),
        with(&in_, "object", json!(1)),
        with(&in_, "object", json!("user_registration_action_context")),
        with(&up, "object", json!("authentication_action_context")),
        with(&in_, "id", json!("")),
        with(&in_, "id", json!("../users")),
        with(&in_, "user", json!(CANARY)),
        with(&up, "user_data", json!({"email": null})),
        // A decision must not take for absent what can't be read.
        with(&in_, "organization", json!(CANARY)),
        with(&in_, "organization", json!({"name": CANARY})),
        with(&in_, "organization_membership", json!({})),
        with(&in_, "ip_address", json!([203, 0, 113, 7])),
        with(&up, "invitation", json!({"id": "invitation_1"})),
    ];
    for body in unreadable {
        let request = app.authkit.sign_action(&secret("one"), body.clone())?;
        assert_eq!(refused(&actions, request.headers(), request.body()).await, ActionErrorKind::Unreadable, "{body}");
        assert_eq!(verify(&actions, &request).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
    for object in ["", "authentication_action_response", "AUTHENTICATION_ACTION_CONTEXT", "password_action_context"] {
        let request = app.authkit.sign_action(&secret("one"), with(&in_, "object", json!(object)))?;
        assert_eq!(refused(&actions, request.headers(), request.body()).await, ActionErrorKind::UnknownAction);
        let error = verify(&actions, &request).unwrap_err();
        assert_eq!(error.status(), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(error.to_string(), "the Action is of a kind that this release of workos-auth doesn't know");
    }
    // `null` is as good as absent.
    for name in
        ["organization", "organization_membership", "authentication_method", "ip_address", "user_agent", "issuer"]
    {
        let request = app.authkit.sign_action(&secret("one"), with(&in_, name, Value::Null))?;
        assert!(verify(&actions, &request).is_ok(), "{name}");
    }
    Ok(())
}

/// A function that decides is tested without a signature.
#[test]
fn a_context_can_be_made_of_json() {
    let at = "2026-01-01T00:00:00.000Z";
    let user = json!({"id": "user_1", "email": ADA, "email_verified": false, "created_at": at, "updated_at": at});
    let context: AuthenticationContext = serde_json::from_value(json!({"id": "action_1", "user": user})).unwrap();
    assert!(!context.user.email_verified);
}

/// The reader in the in-process AuthKit is as strict as WorkOS may be.
#[tokio::test]
async fn only_right_answers_are_read() -> Outcome {
    let app = start().await?;
    let actions = actions(&app);
    let request = sign_in(&app)?;
    let read = |body: &str| app.authkit.read_action_answer(&secret("one"), &request, body);
    let right = verify(&actions, &request)?.deny("No.").into_response().into_body();
    assert_eq!(read(&right)?, ActionVerdict::Deny(Some("No.".to_owned())));
    let silent = verify(&actions, &request)?.deny("").into_response().into_body();
    assert_eq!(read(&silent)?, ActionVerdict::Deny(None));
    let of_a_registration = verify(&actions, &register(&app)?)?.allow().into_response().into_body();
    for (body, reason) in [
        (of_a_registration, "it is the answer to another kind of Action"),
        (right.replace("Deny", "Allow"), "the signature is wrong"),
        (right.replace("No.", "Yes"), "the signature is wrong"),
        (right.replace("1767225600000", "1767225600001"), "the signature is wrong"),
        (right.replace("\"signature\":\"", "\"signature\":\"0"), "the signature is wrong"),
        (right.replace("\"object\"", "\"more\":1,\"object\""), "it isn't an answer"),
        (right.replace("\"verdict\"", "\"more\":1,\"verdict\""), "it isn't an answer"),
        (String::new(), "it isn't an answer"),
    ] {
        assert_eq!(read(&body).unwrap_err().to_string(), reason, "{body}");
    }
    app.clock.advance(TOLERANCE);
    assert!(read(&right).is_ok());
    app.clock.advance(MILLISECOND);
    assert_eq!(read(&right).unwrap_err().to_string(), "it isn't of now");
    // The application's clock is ahead.
    let ahead = start().await?;
    ahead.clock.advance(2 * TOLERANCE + MILLISECOND);
    let early = verify(&self::actions(&ahead), &sign_in(&ahead)?)?.allow().into_response().into_body();
    assert!(read(&early).is_ok());
    ahead.clock.advance(MILLISECOND);
    let early = verify(&self::actions(&ahead), &sign_in(&ahead)?)?.allow().into_response().into_body();
    assert_eq!(read(&early).unwrap_err().to_string(), "it isn't of now");
    Ok(())
}

#[tokio::test]
async fn a_route_of_axum_answers() -> Outcome {
    const TARGET: &str = "/actions/workos";
    let app = start().await?;
    let allow = async |action: Action| Ok::<_, Infallible>(action.allow());
    let router = Router::new()
        .route(TARGET, actions(&app).route(allow))
        .route("/short", actions(&app).max_body_bytes(100).route(allow))
        .route("/failing", actions(&app).route(async |_| Err::<_, io::Error>(io::Error::other("no database"))));
    let send = async |target: &str, headers: &HeaderMap, body: &Bytes| {
        let mut request = Request::post(target).body(Body::from(body.clone()))?;
        request.headers_mut().clone_from(headers);
        let (parts, body) = router.clone().oneshot(request).await?.into_parts();
        Outcome::Ok((parts.status.as_u16(), to_bytes(body, usize::MAX).await?))
    };
    let request = sign_in(&app)?;
    let (status, body) = send(TARGET, request.headers(), request.body()).await?;
    assert_eq!(status, 200);
    assert_eq!(app.authkit.read_action_answer(&secret("one"), &request, &body)?, ActionVerdict::Allow);

    let unknown = app.authkit.sign_action(&secret("one"), json!({"object": "new_action_context"}).to_string())?;
    for (target, headers, body, status) in [
        (TARGET, &HeaderMap::new(), request.body(), 400),
        (TARGET, request.headers(), &Bytes::from_static(b"{}"), 400),
        ("/short", request.headers(), request.body(), 413),
        (TARGET, unknown.headers(), unknown.body(), 501),
        ("/failing", request.headers(), request.body(), 500),
    ] {
        assert_eq!(send(target, headers, body).await?, (status, Bytes::new()), "{target}");
    }
    assert_eq!(router.oneshot(Request::get(TARGET).body(Body::empty())?).await?.status(), 405);
    Ok(())
}
