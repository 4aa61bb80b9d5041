//! Every error code of the API, in every envelope, with and without a pending token: each lands in a typed outcome.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use workos_auth::secret::{
    EmailVerificationCode, InvitationToken, MagicAuthCode, PendingAuthenticationToken, RadarCode,
};
use workos_auth::step::{
    EmailVerification, MfaChallenge, MfaEnrollment, OrganizationSelection, RadarEmailChallenge, RadarSmsCode,
    TotpChallenge,
};
use workos_auth::{
    Confidential, ConfidentialClient, EmailAddress, Error, ErrorCode, ErrorKind, ExposeSecret, Password, Step, TotpCode,
};

use crate::support::Outcome;
use crate::support::clients::{NOWHERE, confidential, reply};
use crate::support::login::authorization_code;

/// The codes that the API description lists for `/user_management/authenticate` with 400, 403, 422 and 429, and
/// those that the protocol adds to them.
pub(crate) const CODES: &[&str] = &[
    "invalid_organization_id",
    "code_challenge_not_found",
    "invalid_credentials",
    "invalid_one_time_code",
    "one_time_code_previously_used",
    "one_time_code_expired",
    "one_time_code_too_many_attempts",
    "invalid_pending_authentication_token",
    "user_mismatch",
    "phone_number_required",
    "verification_id_required",
    "invalid_client",
    "unauthorized_client",
    "invalid_profile",
    "invitation_invalid",
    "invitation_cannot_be_used_for_email",
    "authentication_method_not_allowed",
    "invalid_connection",
    "sign_up_not_allowed",
    "organization_authentication_methods_required",
    "invalid_link_authorization_code",
    "extra_attributes_required",
    "pkce_not_supported",
    "expired_token",
    "authorization_pending",
    "access_denied",
    "slow_down",
    "invalid_grant",
    "invalid_request",
    "organization_not_found",
    "organization_membership_not_found",
    "mfa_enrollment",
    "token_too_big",
    "mfa_challenge",
    "email_verification_required",
    "email_password_auth_disabled",
    "organization_selection_required",
    "passkey_progressive_enrollment",
    "radar_challenge",
    "radar_sign_up_challenge",
    "radar_sms_sign_in_challenge",
    "application_consent_required",
    "invalid_request_parameters",
    "daily_quota_exceeded",
    "too_many_requests",
    // Not in the description.
    "email_verification_code_incorrect",
    "mfa_verification",
    "sso_required",
    "radar_email_challenge",
    "radar_sms_challenge",
];

/// What each step carries.
pub(crate) const DETAILS: &str = r#","user":{"object":"user","id":"user_1","email":"ada@example.com"},
    "authentication_factors":[{"id":"auth_factor_1","type":"totp"}],
    "email":"ada@example.com","email_verification_id":"email_verification_1",
    "organizations":[{"id":"org_1","name":"One"}],"connection_ids":["conn_1"],"sso_connection_ids":["conn_2"],
    "auth_methods":{"password":true,"google_oauth":false},"radar_challenge_id":"radar_challenge_1""#;

pub(crate) const TOKEN: &str = r#","pending_authentication_token":"pending""#;

fn client(status: u16, body: String) -> (ConfidentialClient, Sent) {
    let body = Bytes::from(body);
    let sent = Sent::default();
    let keep = Arc::clone(&sent);
    let client = confidential(NOWHERE)
        .clock(workos_auth::testing::ManualClock::new(std::time::SystemTime::UNIX_EPOCH))
        .build_with(move |request: http::Request<Bytes>| {
            *keep.lock().unwrap() = String::from_utf8_lossy(request.body()).into_owned();
            let reply = reply(status, body.clone());
            async move { Ok(reply) }
        })
        .unwrap();
    (client, sent)
}

/// The body that was sent last.
type Sent = Arc<Mutex<String>>;

/// The step that a login ends in, or its refusal: no reply here signs anybody in.
async fn outcome_and_sent(status: u16, body: String) -> (Result<Step<Confidential>, Error>, Sent) {
    let (client, sent) = client(status, body);
    let not_signed_in = client.authenticate_with_code(authorization_code("the-code")).send().await.unwrap_err();
    (not_signed_in.step().map_err(Error::from), sent)
}

async fn outcome(status: u16, body: String) -> Result<Step<Confidential>, Error> {
    outcome_and_sent(status, body).await.0
}

/// The two envelopes that name a code.
pub(crate) fn envelopes(code: &str, rest: &str) -> [String; 2] {
    [
        format!(r#"{{"code":"{code}","message":"m"{rest}}}"#),
        format!(r#"{{"error":"{code}","error_description":"m"{rest}}}"#),
    ]
}

fn name(step: &Step<Confidential>) -> &'static str {
    match step {
        Step::MfaEnrollment(_) => "MFA enrolment",
        Step::MfaChallenge(_) => "MFA challenge",
        Step::TotpChallenge(_) => "TOTP challenge",
        Step::EmailVerification(_) => "email verification",
        Step::OrganizationSelection(_) => "organization selection",
        Step::SsoRequired(_) => "SSO required",
        Step::OrganizationMethodsRequired(_) => "organization methods",
        Step::RadarEmailChallenge(_) => "Radar email",
        Step::RadarSmsSignUp(_) => "Radar SMS sign-up",
        Step::RadarSmsCode(_) => "Radar SMS",
        Step::Unfinished(_) => "unfinished",
        Step::Blocked(_) => "blocked",
        _ => "unknown to this test",
    }
}

/// The outcome with everything there; whatever isn't listed is a refusal without a token, and unfinished with one.
fn step(code: &str) -> Option<&'static str> {
    Some(match code {
        "mfa_enrollment" => "MFA enrolment",
        "mfa_challenge" | "mfa_verification" => "MFA challenge",
        "email_verification_required" => "email verification",
        "organization_selection_required" => "organization selection",
        "sso_required" => "SSO required",
        "organization_authentication_methods_required" => "organization methods",
        "radar_challenge" | "radar_email_challenge" => "Radar email",
        "radar_sign_up_challenge" => "Radar SMS sign-up",
        "radar_sms_sign_in_challenge" | "radar_sms_challenge" => "Radar SMS",
        _ => return None,
    })
}

const BLOCKED: &[&str] = &[
    "passkey_progressive_enrollment",
    "application_consent_required",
    "authentication_method_not_allowed",
    "email_password_auth_disabled",
];

/// Only these carry on without a token, since they begin another login.
const TOKENLESS: &[&str] = &["sso_required", "organization_authentication_methods_required"];

#[tokio::test]
async fn every_code_lands_in_a_typed_outcome() -> Outcome {
    for code in CODES {
        assert!(!matches!(ErrorCode::from(*code), ErrorCode::Other(_)), "{code} is a code of its own");
        for status in [400, 403] {
            for body in envelopes(code, &format!("{DETAILS}{TOKEN}")) {
                let outcome = outcome(status, body).await?;
                assert_eq!(name(&outcome), step(code).unwrap_or("unfinished"), "{code}, all there");
            }
            for body in envelopes(code, DETAILS) {
                match outcome(status, body).await {
                    Ok(outcome) if TOKENLESS.contains(code) => assert_eq!(Some(name(&outcome)), step(code)),
                    Ok(outcome) => {
                        assert_eq!(name(&outcome), "blocked", "{code}, without a token");
                        assert!(step(code).is_some() || BLOCKED.contains(code), "{code}");
                        let error = Error::from(outcome);
                        assert!(matches!(error.kind(), ErrorKind::Unfinished(named) if named.as_str() == *code));
                    }
                    Err(error) => {
                        assert!(step(code).is_none() && !BLOCKED.contains(code), "{code}");
                        assert_eq!(error.code(), Some(&ErrorCode::from(*code)));
                        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
                    }
                }
            }
            // Details that are missing, or of a shape of tomorrow, don't lose the token.
            for rest in [TOKEN.to_owned(), format!(r#","user":7,"organizations":{{}},"email":[]{TOKEN}"#)] {
                for body in envelopes(code, &rest) {
                    let (outcome, sent) = outcome_and_sent(status, body).await;
                    assert_eq!(pending_token(outcome?, &sent).await, "pending", "{code}");
                }
            }
        }
    }
    Ok(())
}

/// The token, wherever it is: reachable, or in what the step sends as its answer.
async fn pending_token(step: Step<Confidential>, sent: &Sent) -> String {
    let held = |token: Option<&PendingAuthenticationToken>| token.unwrap().expose_secret().to_owned();
    match step {
        Step::Unfinished(login) => return held(Some(&login.into_pending_authentication_token())),
        Step::SsoRequired(step) => return held(step.pending_authentication_token()),
        Step::OrganizationMethodsRequired(step) => return held(step.pending_authentication_token()),
        Step::EmailVerification(step) => {
            drop(step.verify(EmailVerificationCode::new("1")).send().await);
        }
        Step::RadarSmsCode(step) => drop(step.verify(RadarCode::new("1")).send().await),
        other => panic!("{other:?} lost the token"),
    }
    let body: serde_json::Value = serde_json::from_str(&sent.lock().unwrap()).unwrap();
    body["pending_authentication_token"].as_str().unwrap().to_owned()
}

/// What ends a login: nothing that is sent next with the same code or token is taken.
const ENDING: &[&str] = &[
    "code_challenge_not_found",
    "pkce_not_supported",
    "one_time_code_too_many_attempts",
    "invalid_pending_authentication_token",
    "user_mismatch",
    "expired_token",
    "access_denied",
    "invalid_grant",
];

/// Whether each kind of flow value came back: the grants that may carry an invitation, and every step.
async fn came_back(client: &ConfidentialClient) -> Vec<(&'static str, bool)> {
    let email = || "ada@example.com".parse::<EmailAddress>().unwrap();
    let pending = || PendingAuthenticationToken::new("pending");
    let invitation = || InvitationToken::new("invitation");
    macro_rules! all {
        ($($name:literal: $call:expr),* $(,)?) => {
            vec![$(($name, $call.send().await.is_err_and(|failed| failed.recover().is_ok()))),*]
        };
    }
    let radar = |id: &str| RadarEmailChallenge::from_parts(client, pending(), id.parse().unwrap());
    all! {
        "code": client.authenticate_with_code(authorization_code("the-code")).invitation_token(invitation()),
        "password": client.authenticate_with_password(email(), Password::new("p")).invitation_token(invitation()),
        "Magic Auth": client.authenticate_with_magic_auth(MagicAuthCode::new("1"), email()).invitation_token(invitation()),
        "MFA enrolment": MfaEnrollment::from_parts(client, pending(), "user_1".parse().unwrap()).enroll_totp("i", "u"),
        "MFA challenge": MfaChallenge::from_parts(client, pending(), []).challenge(&"auth_factor_1".parse().unwrap()),
        "TOTP": TotpChallenge::from_parts(client, pending(), "auth_challenge_1".parse().unwrap()).verify(TotpCode::new("1")),
        "email": EmailVerification::from_parts(client, pending()).verify(EmailVerificationCode::new("1")),
        "organization": OrganizationSelection::from_parts(client, pending()).select_unlisted("org_1".parse().unwrap()),
        "Radar email": radar("radar_challenge_1").verify(RadarCode::new("1")),
        "Radar SMS": RadarSmsCode::from_sign_in(client, pending()).verify(RadarCode::new("1")),
    }
}

#[tokio::test]
async fn a_refusal_gives_the_step_back_unless_its_code_ends_the_login() -> Outcome {
    // The codes of other steps are answers, not refusals.
    let refusals = CODES.iter().filter(|code| step(code).is_none() && !BLOCKED.contains(code));
    let mut judged = 0;
    for code in refusals {
        for status in [400, 404, 422] {
            for body in envelopes(code, "") {
                let (client, _) = client(status, body);
                for (flow, back) in came_back(&client).await {
                    assert_eq!(back, !ENDING.contains(code), "{flow}, {status} {code}");
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, (CODES.len() - 16) * 3 * 2 * 10);
    for (status, body) in [
        (400, r#"{"message":"Must use SSO for selected organization"}"#),
        (404, r#"{"message":"Organization not found: 'org_1'."}"#),
        (400, r#"{"code":"code_of_tomorrow","message":"m"}"#),
        (404, "<html>Not Found</html>"),
    ] {
        let (client, _) = client(status, body.to_owned());
        for (flow, back) in came_back(&client).await {
            assert!(back, "{flow}, {body}");
        }
    }
    // What would block a login that begins leaves one alive that has a step to answer.
    for code in
        CODES.iter().filter(|code| (step(code).is_some() || BLOCKED.contains(code)) && !TOKENLESS.contains(code))
    {
        for body in envelopes(code, DETAILS) {
            let (client, _) = client(400, body);
            for (flow, back) in came_back(&client).await {
                let begins = ["code", "password", "Magic Auth"].contains(&flow);
                assert_eq!(back, !begins, "{flow}, {code}");
            }
        }
    }
    // Another status says nothing of the step: a wrong code does.
    for (status, code, alive) in [
        (401, "invalid_one_time_code", true),
        (401, "invalid_credentials", true),
        (401, "unauthorized", false),
        (403, "forbidden", false),
    ] {
        let (client, _) = client(status, format!(r#"{{"code":"{code}","message":"m"}}"#));
        for (flow, back) in came_back(&client).await {
            assert_eq!(back, alive, "{flow}, {status} {code}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_grant_goes_on_without_the_invitation_that_was_refused() -> Outcome {
    let body = || r#"{"error":"invitation_invalid","error_description":"m"}"#.to_owned();
    let invitation = || InvitationToken::new("invitation");
    macro_rules! without {
        ($sent:ident, $grant:expr) => {
            let rejected = $grant.invitation_token(invitation()).send().await.unwrap_err();
            assert!($sent.lock().unwrap().contains("invitation_token"));
            drop(rejected.recover()?.without_invitation().send().await);
            assert!(!$sent.lock().unwrap().contains("invitation_token"));
        };
    }
    let (client, sent) = client(400, body());
    let email = || "ada@example.com".parse::<EmailAddress>();
    without!(sent, client.authenticate_with_code(authorization_code("the-code")));
    without!(sent, client.authenticate_with_password(email()?, Password::new("p")));
    without!(sent, client.authenticate_with_magic_auth(MagicAuthCode::new("1"), email()?));
    Ok(())
}

#[tokio::test]
async fn a_bare_message_is_a_refusal_and_keeps_a_token() -> Outcome {
    for (status, message) in [(400, "Must use SSO for selected organization"), (404, "Organization not found")] {
        let error = outcome(status, format!(r#"{{"message":"{message}"}}"#)).await.unwrap_err();
        let ErrorKind::Api(api) = error.kind() else { panic!("{error:?}") };
        assert_eq!(api.code(), None);
        assert_eq!(api.message().ok_or("lost")?.expose_secret(), message);
    }
    Ok(())
}

#[tokio::test]
async fn a_code_of_tomorrow_keeps_code_message_and_token() -> Outcome {
    let outcome = outcome(403, envelopes("brand_new_step", TOKEN)[0].clone()).await?;
    let Step::Unfinished(login) = outcome else { panic!("{outcome:?}") };
    assert_eq!(login.code(), &ErrorCode::Other("brand_new_step".to_owned()));
    assert_eq!(login.message().ok_or("lost")?.expose_secret(), "m");
    assert_eq!(login.client().client_id().as_str(), "client_123");
    assert_eq!(login.into_pending_authentication_token().expose_secret(), "pending");
    Ok(())
}

#[tokio::test]
async fn steps_hold_their_data() -> Outcome {
    let get = async |code: &str| outcome(403, envelopes(code, &format!("{DETAILS}{TOKEN}"))[0].clone()).await;
    let Step::OrganizationMethodsRequired(step) = get("organization_authentication_methods_required").await? else {
        panic!("another step")
    };
    assert_eq!(step.email(), Some("ada@example.com"));
    assert_eq!(step.sso_connection_ids()[0].as_str(), "conn_2");
    assert_eq!(step.allowed_methods().collect::<Vec<_>>(), ["password"]);
    assert_eq!(step.client().client_id().as_str(), "client_123");
    let Step::RadarEmailChallenge(step) = get("radar_challenge").await? else { panic!("another step") };
    assert_eq!(step.id().as_str(), "radar_challenge_1");
    let challenge = r#","authentication_challenge":{"id":"auth_challenge_1","expires_at":"2026-01-01T00:00:00Z"}"#;
    let body = envelopes("mfa_challenge", &format!("{challenge}{DETAILS}{TOKEN}"))[0].clone();
    let Step::TotpChallenge(step) = outcome(403, body).await? else { panic!("another step") };
    assert_eq!(step.id().as_str(), "auth_challenge_1");
    assert_eq!(step.expires_at(), Some("2026-01-01T00:00:00Z".parse()?));
    Ok(())
}
