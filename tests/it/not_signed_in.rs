//! A login that ends in `Ok` is a signed-in user, and nothing else is. What it is instead is also an error.

use std::error::Error as StdError;
use std::io;

use bytes::Bytes;
use workos_auth::login::PasswordGrant;
use workos_auth::secret::{EmailVerificationCode, MagicAuthCode, PendingAuthenticationToken, RadarCode};
use workos_auth::step::{EmailVerification, OrganizationSelection, RadarEmailChallenge, RadarSmsCode, TotpChallenge};
use workos_auth::transport::TransportError;
use workos_auth::{
    AuthenticationResponse, Callback, Confidential, ConfidentialClient, EmailAddress, Error, ErrorCode, ErrorKind,
    NotSignedIn, Password, RefreshToken, TotpCode,
};

use crate::outcomes::{CODES, DETAILS, TOKEN, envelopes};
use crate::support::Outcome;
use crate::support::capture::SIGNED_IN;
use crate::support::clients::{NOWHERE, clock, confidential, reply};
use crate::support::login::{authorization_code, callback, next_step, redirect};

const DEVICE: &str = r#"{"device_code":"device-code","user_code":"ABCD","expires_in":20,
    "verification_uri":"https://example.com/device"}"#;

/// A client whose every login gets this reply.
fn client(status: u16, body: String) -> ConfidentialClient {
    let body = Bytes::from(body);
    let answer = move |request: http::Request<Bytes>| {
        let begins_device_login = request.uri().path().ends_with("/authorize/device");
        let reply = if begins_device_login { reply(200, DEVICE) } else { reply(status, body.clone()) };
        async move { Ok(reply) }
    };
    confidential(NOWHERE).clock(clock()).build_with(answer).unwrap()
}

/// Every grant and every answer of a step, and whether it ended in `Ok`.
async fn every_login(client: &ConfidentialClient) -> Outcome<[(&'static str, bool); 16]> {
    let email = || EmailAddress::new("ada@example.com");
    let pending = || PendingAuthenticationToken::new("pending");
    let begin = || client.authorize(redirect()).authkit();
    let (with_pkce, plain) = (begin().begin()?, begin().begin_without_pkce()?);
    let (with_pkce_back, plain_back) = (callback(with_pkce.url()), callback(plain.url()));
    let impersonation = client.accept_impersonation(Callback::from_query("code=the-code")?)?;
    let magic_auth = client.authenticate_with_magic_auth(MagicAuthCode::new("1"), email()?);
    let device = async || client.device_authorization().send().await;
    let totp = TotpChallenge::from_parts(client, pending(), "auth_challenge_1".parse()?);
    let email_code = EmailVerification::from_parts(client, pending());
    let organization = OrganizationSelection::from_parts(client, pending());
    let radar = || RadarCode::new("1");
    let radar_email = RadarEmailChallenge::from_parts(client, pending(), "radar_challenge_1".parse()?);
    let sign_in = RadarSmsCode::from_sign_in(client, pending());
    let sign_up = RadarSmsCode::from_parts(client, pending(), "verification_1".parse()?, "+15005550006".parse()?);
    Ok([
        ("code", client.authenticate_with_code(authorization_code("the-code")).send().await.is_ok()),
        ("code with PKCE", with_pkce.exchange(with_pkce_back)?.send().await.is_ok()),
        ("code without PKCE", plain.exchange(plain_back)?.send().await.is_ok()),
        ("impersonation", impersonation.send().await.is_ok()),
        ("password", client.authenticate_with_password(email()?, Password::new("p")).send().await.is_ok()),
        ("Magic Auth", magic_auth.send().await.is_ok()),
        ("refresh", client.authenticate_with_refresh_token(RefreshToken::new("t")).send().await.is_ok()),
        ("device, one poll", device().await?.poll().await.is_ok()),
        ("device", device().await?.wait().await.is_ok()),
        ("TOTP", totp.verify(TotpCode::new("1")).send().await.is_ok()),
        ("email", email_code.verify(EmailVerificationCode::new("1")).send().await.is_ok()),
        ("organization", organization.select_unlisted("org_1".parse()?).send().await.is_ok()),
        ("Radar email", radar_email.verify(radar()).send().await.is_ok()),
        ("Radar SMS", sign_in.verify(radar()).send().await.is_ok()),
        ("Radar SMS of a new user", sign_up.verify(radar()).send().await.is_ok()),
        ("refresh in an organization", {
            let grant = client.authenticate_with_refresh_token(RefreshToken::new("t"));
            grant.organization("org_1".parse()?).send().await.is_ok()
        }),
    ])
}

#[tokio::test]
async fn ok_is_a_signed_in_user() -> Outcome {
    for (login, ok) in every_login(&client(200, SIGNED_IN.to_owned())).await? {
        assert!(ok, "{login}");
    }
    Ok(())
}

#[tokio::test]
async fn no_step_and_no_refusal_is_ok() -> Outcome {
    // Tokens that come with a step sign nobody in either.
    let with_tokens = format!(",{}", &SIGNED_IN[1..SIGNED_IN.len() - 1]);
    let all = format!("{DETAILS}{TOKEN}");
    for code in CODES {
        for rest in [all.as_str(), DETAILS, TOKEN, with_tokens.as_str()] {
            for body in envelopes(code, rest) {
                for status in [400, 403] {
                    for (login, ok) in every_login(&client(status, body.clone())).await? {
                        assert!(!ok, "{login}, {status} {body}");
                    }
                }
            }
        }
        for body in envelopes(code, &all) {
            for (login, ok) in every_login(&client(200, body.clone())).await? {
                assert!(!ok, "{login}, 200 {body}");
            }
        }
    }
    Ok(())
}

type PasswordOutcome = Result<AuthenticationResponse, NotSignedIn<PasswordGrant<Confidential>>>;

async fn password(client: &ConfidentialClient) -> PasswordOutcome {
    let email = EmailAddress::new("ada@example.com").unwrap();
    client.authenticate_with_password(email, Password::new("p")).send().await
}

#[tokio::test]
async fn a_step_says_its_code() -> Outcome {
    for code in CODES {
        // Codes of the same step in two wordings.
        let expected = match *code {
            "mfa_verification" => ErrorCode::MfaChallenge,
            "radar_email_challenge" => ErrorCode::RadarChallenge,
            "radar_sms_challenge" => ErrorCode::RadarSmsSignInChallenge,
            other => ErrorCode::from(other),
        };
        for body in envelopes(code, &format!("{DETAILS}{TOKEN}")) {
            let step = next_step(password(&client(403, body)).await);
            assert_eq!(step.code(), expected, "{step:?}");
            let error = Error::from(step);
            assert!(matches!(error.kind(), ErrorKind::Unfinished(code) if *code == expected), "{error:?}");
        }
    }
    Ok(())
}

fn ended(outcome: PasswordOutcome) -> Result<AuthenticationResponse, Error> {
    Ok(outcome?)
}

fn boxed(outcome: PasswordOutcome) -> Outcome<AuthenticationResponse> {
    Ok(outcome?)
}

#[tokio::test]
async fn a_step_is_an_error_that_names_it() -> Outcome {
    let step = client(403, envelopes("mfa_challenge", &format!("{DETAILS}{TOKEN}"))[0].clone());
    let told = "the login is not finished: mfa_challenge";

    let error = ended(password(&step).await).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unfinished(ErrorCode::MfaChallenge)), "{error:?}");
    assert!(!error.is_transient());
    assert_eq!(boxed(password(&step).await).unwrap_err().to_string(), told);

    let not_signed_in = password(&step).await.unwrap_err();
    assert_eq!(not_signed_in.to_string(), told);
    assert_eq!(not_signed_in.error().to_string(), told);
    assert!(not_signed_in.source().is_none());
    assert!(!format!("{not_signed_in:?}").contains("pending"), "{not_signed_in:?}");
    assert!(matches!(not_signed_in.recover().unwrap_err().kind(), ErrorKind::Unfinished(ErrorCode::MfaChallenge)));
    Ok(())
}

#[tokio::test]
async fn a_rejection_is_the_error_that_it_was() -> Outcome {
    let refused = client(400, r#"{"code":"invalid_credentials","message":"m"}"#.to_owned());
    let told = "the API refused the request: invalid_credentials (HTTP 400)";
    let error = ended(password(&refused).await).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some(&ErrorCode::InvalidCredentials), told));
    assert_eq!(boxed(password(&refused).await).unwrap_err().to_string(), told);

    let not_signed_in = password(&refused).await.unwrap_err();
    assert_eq!(not_signed_in.to_string(), told);
    assert!(not_signed_in.source().is_none());
    let rejected = not_signed_in.step().unwrap_err();
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidCredentials));
    assert!(rejected.recover().is_ok());

    let lost = confidential(NOWHERE).build_with(|_request: http::Request<Bytes>| async {
        Err(TransportError::interrupted(io::Error::other("of the transport")))
    })?;
    let not_signed_in = password(&lost).await.unwrap_err();
    assert_eq!(not_signed_in.to_string(), "the connection was lost before the reply was complete");
    assert_eq!(not_signed_in.source().map(ToString::to_string).as_deref(), Some("of the transport"));
    assert!(not_signed_in.recover().is_ok());
    let error = ended(password(&lost).await).unwrap_err();
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("of the transport"));
    Ok(())
}
