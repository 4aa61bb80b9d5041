//! Every way to sign in and every step in between, on the in-process AuthKit, over real HTTP.

use std::time::Duration;

use workos_auth::id::{ConnectionId, PhoneNumber};
use workos_auth::login::{AuthenticationMethod, NotFinished, PasswordGrant};
use workos_auth::parking::Parking;
use workos_auth::secret::{EmailVerificationCode, MagicAuthCode, PendingAuthenticationToken, RadarCode};
use workos_auth::step::{
    AuthenticationFactorType, MfaChallenge, OrganizationSelection, RadarEmailChallenge, TotpChallenge,
};
use workos_auth::testing::{AuthKit, Browser, RadarDemand, TestUser};
use workos_auth::{
    AuthenticationResponse, Confidential, ConfidentialClient, CookiePassword, EmailAddress, ErrorCode, ErrorKind,
    ExposeSecret, NotSignedIn, Password, Step, TotpCode,
};

use crate::support::Outcome;
use crate::support::clients::clock;
use crate::support::login::{next_step, redirect, rejection};

const ADA: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

fn ada() -> TestUser {
    TestUser::new(ADA).password(PASSWORD)
}

async fn start(user: TestUser) -> Outcome<(AuthKit, ConfidentialClient)> {
    let authkit = AuthKit::builder().user(user).start().await?;
    let client = authkit.confidential_client();
    Ok((authkit, client))
}

fn email() -> EmailAddress {
    EmailAddress::new(ADA).unwrap()
}

async fn password(
    client: &ConfidentialClient,
) -> Result<AuthenticationResponse, NotSignedIn<PasswordGrant<Confidential>>> {
    client.authenticate_with_password(email(), Password::new(PASSWORD)).send().await
}

macro_rules! expect_step {
    ($outcome:expr, $variant:ident) => {
        match next_step($outcome) {
            Step::$variant(step) => step,
            other => panic!("expected {}, got {other:?}", stringify!($variant)),
        }
    };
}

#[tokio::test]
async fn a_password_signs_in_and_a_wrong_one_gives_the_grant_back() -> Outcome {
    let (_authkit, client) = start(ada()).await?;
    let rejected = rejection(client.authenticate_with_password(email(), Password::new("wrong")).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidCredentials));
    let response = rejected.recover()?.password(Password::new(PASSWORD)).send().await?;
    assert_eq!(response.user.email, ADA);
    assert_eq!(response.authentication_method, Some(AuthenticationMethod::Password));
    Ok(())
}

#[tokio::test]
async fn magic_auth_signs_in_and_tells_wrong_expired_and_too_many_apart() -> Outcome {
    let (authkit, client) = start(ada()).await?;
    let grant = |code: &str| client.authenticate_with_magic_auth(MagicAuthCode::new(code), email());
    let code = authkit.send_magic_auth(ADA)?;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let rejected = rejection(grant(wrong).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidOneTimeCode));
    drop(rejected.recover()?.code(MagicAuthCode::new(code)).send().await?);

    let code = authkit.send_magic_auth(ADA)?;
    authkit.advance(Duration::from_secs(601));
    let rejected = rejection(grant(&code).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OneTimeCodeExpired));
    // Another code can be sent for the same grant.
    let code = authkit.send_magic_auth(ADA)?;
    drop(rejected.recover()?.code(MagicAuthCode::new(code)).send().await?);

    let code = authkit.send_magic_auth(ADA)?;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        assert!(rejection(grant(wrong).send().await).recover().is_ok());
    }
    let rejected = rejection(grant(&code).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OneTimeCodeTooManyAttempts));
    assert!(rejected.recover().is_err());
    Ok(())
}

#[tokio::test]
async fn a_second_factor_is_challenged_and_verified() -> Outcome {
    let (authkit, client) = start(ada().totp()).await?;
    let step = expect_step!(password(&client).await, MfaChallenge);
    assert_eq!(step.user().and_then(|user| user.email.as_deref()), Some(ADA));
    assert_eq!(step.factors()[0].kind, AuthenticationFactorType::Totp);
    let factor = step.factors()[0].id.clone();
    let challenge = step.challenge(&factor).send().await?;
    assert!(challenge.expires_at().is_some());

    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    let wrong = format!("{:06}", (code.parse::<u32>()? + 1) % 1_000_000);
    let rejected = rejection(challenge.verify(TotpCode::new(wrong)).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidOneTimeCode));
    drop(rejected.recover()?.verify(TotpCode::new(code.clone())).send().await?);

    // The code was used: the next login wants the next one.
    let step = expect_step!(password(&client).await, MfaChallenge);
    let challenge = step.challenge(&factor).send().await?;
    let rejected = rejection(challenge.verify(TotpCode::new(code)).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OneTimeCodePreviouslyUsed));
    authkit.advance(Duration::from_secs(30));
    let next = authkit.totp_code(ADA).ok_or("no factor")?;
    drop(rejected.recover()?.verify(TotpCode::new(next)).send().await?);
    Ok(())
}

#[tokio::test]
async fn an_expired_challenge_is_sent_again() -> Outcome {
    let (authkit, client) = start(ada().totp()).await?;
    let step = expect_step!(password(&client).await, MfaChallenge);
    let factor = step.factors()[0].id.clone();
    let challenge = step.challenge(&factor).send().await?;
    authkit.advance(Duration::from_secs(601));
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    let rejected = rejection(challenge.verify(TotpCode::new(code)).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OneTimeCodeExpired));
    let challenge = rejected.recover()?.challenge(&factor).send().await?;
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    drop(challenge.verify(TotpCode::new(code)).send().await?);
    Ok(())
}

#[tokio::test]
async fn a_challenge_that_the_login_sent_is_answered_or_sent_again() -> Outcome {
    let (authkit, client) = start(ada().totp_challenged()).await?;
    let challenge = expect_step!(password(&client).await, TotpChallenge);
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    let response = challenge.verify(TotpCode::new(code)).send().await?;

    authkit.advance(Duration::from_secs(30));
    let challenge = expect_step!(password(&client).await, TotpChallenge);
    let first = challenge.id().clone();
    let factor = client.mfa().list(&response.user.id).send().await?.data.remove(0).id;
    let challenge = challenge.challenge(&factor).send().await?;
    assert_ne!(*challenge.id(), first);
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    drop(challenge.verify(TotpCode::new(code)).send().await?);
    Ok(())
}

#[tokio::test]
async fn a_second_factor_is_enrolled_in_the_middle_of_a_login() -> Outcome {
    let (authkit, client) = start(ada().must_enroll_mfa()).await?;
    let step = expect_step!(password(&client).await, MfaEnrollment);
    assert_eq!(step.user().email.as_deref(), Some(ADA));
    let enrollment = step.enroll_totp("Example", ADA).send().await?;
    assert!(enrollment.qr_code.expose_secret().starts_with("data:image/png;base64,"));
    let secret = enrollment.secret.expose_secret();
    assert_eq!(enrollment.uri.expose_secret(), format!("otpauth://totp/Example:{ADA}?secret={secret}&issuer=Example"));
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    drop(enrollment.challenge.verify(TotpCode::new(code)).send().await?);

    // From now on it is asked for.
    let step = expect_step!(password(&client).await, MfaChallenge);
    assert_eq!(step.factors()[0].id, enrollment.factor_id);
    Ok(())
}

#[tokio::test]
async fn an_email_address_is_verified_in_the_middle_of_a_login() -> Outcome {
    let (authkit, client) = start(ada().unverified()).await?;
    let step = expect_step!(password(&client).await, EmailVerification);
    assert_eq!(step.email(), Some(ADA));
    assert!(step.id().is_some_and(|id| id.as_str().starts_with("email_verification_")));
    let code = authkit.last_code(ADA).ok_or("nothing was sent")?;
    authkit.advance(Duration::from_secs(601));
    let rejected = rejection(step.verify(EmailVerificationCode::new(code)).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OneTimeCodeExpired));
    // Another e-mail can be sent for the same login, so the step is alive.
    assert!(rejected.recover().is_ok());

    let step = expect_step!(password(&client).await, EmailVerification);
    let code = authkit.last_code(ADA).ok_or("nothing was sent")?;
    let response = step.verify(EmailVerificationCode::new(code)).send().await?;
    assert!(response.user.email_verified);
    drop(password(&client).await?);
    Ok(())
}

#[tokio::test]
async fn an_organization_is_selected_among_those_on_offer() -> Outcome {
    let (_authkit, client) = start(ada().organization("org_1").organization("org_2")).await?;
    let step = expect_step!(password(&client).await, OrganizationSelection);
    assert_eq!(step.organizations()[1].name, "Organization org_2");
    let rejected = step.select(&"org_3".parse()?).unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::InvalidValue { field: "organization_id", .. }));
    let step = rejected.recover()?;
    let id = step.organizations()[1].id.clone();
    let response = step.select(&id)?.send().await?;
    assert_eq!(response.organization_id, Some(id));

    let step = expect_step!(password(&client).await, OrganizationSelection);
    let rejected = rejection(step.select_unlisted("org_3".parse()?).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::OrganizationMembershipNotFound));
    drop(rejected.recover()?.select(&"org_1".parse()?)?.send().await?);
    Ok(())
}

#[tokio::test]
async fn steps_follow_each_other_and_are_built_from_their_parts() -> Outcome {
    let user = ada().unverified().totp().organization("org_1").organization("org_2");
    let (authkit, client) = start(user).await?;
    let step = expect_step!(password(&client).await, EmailVerification);
    let code = authkit.last_code(ADA).ok_or("nothing was sent")?;
    let outcome = step.verify(EmailVerificationCode::new(code)).send().await;
    let step = expect_step!(outcome, MfaChallenge);
    let factor = step.factors()[0].id.clone();
    let challenge = step.challenge(&factor).send().await?;
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    let step = expect_step!(challenge.verify(TotpCode::new(code)).send().await, OrganizationSelection);
    drop(step.select(&"org_1".parse()?)?.send().await?);

    // What an application kept itself: a token that nobody knows gets nowhere.
    let pending = || PendingAuthenticationToken::new("kept");
    let challenge = TotpChallenge::from_parts(&client, pending(), "auth_challenge_1".parse()?);
    let rejected = rejection(challenge.verify(TotpCode::new("123456")).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidPendingAuthenticationToken));
    assert!(rejected.recover().is_err(), "the token is dead");
    let selection = OrganizationSelection::from_parts(&client, pending());
    let rejected = rejection(selection.select_unlisted("org_1".parse()?).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidPendingAuthenticationToken));
    let challenge = MfaChallenge::from_parts(&client, pending(), [factor.clone()]).challenge(&factor).send().await?;
    assert!(challenge.id().as_str().starts_with("auth_challenge_"));
    Ok(())
}

#[tokio::test]
async fn sso_is_a_login_of_its_own() -> Outcome {
    let authkit = AuthKit::builder().user(ada()).sso_domain("example.com", "conn_1").start().await?;
    let client = authkit.confidential_client();
    let step = expect_step!(password(&client).await, SsoRequired);
    assert_eq!(step.email(), Some(ADA));
    let rejected = step.authorize(&ConnectionId::new("conn_2")?, redirect()).unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::InvalidValue { field: "connection_id", .. }));
    let step = rejected.recover()?;
    let connection = step.connection_ids()[0].clone();
    let session = step.authorize(&connection, redirect())?.begin()?;
    assert!(session.url().as_str().contains("connection_id=conn_1"));
    let callback = Browser::new()?.sign_in(session.url().as_str(), ADA).await?;
    drop(session.exchange(workos_auth::Callback::from_url(&callback)?)?.send().await?);
    Ok(())
}

#[tokio::test]
async fn radar_is_answered() -> Outcome {
    let (authkit, client) = start(ada().radar(RadarDemand::Email)).await?;
    let step = expect_step!(password(&client).await, RadarEmailChallenge);
    let code = RadarCode::new(authkit.last_code(ADA).ok_or("nothing was sent")?);
    drop(step.verify(code).send().await?);

    // The right code of another challenge, and over another way, doesn't answer it.
    let step = expect_step!(password(&client).await, RadarEmailChallenge);
    let parked = Parking::new(CookiePassword::new("0123456789abcdef0123456789abcdef")?).park(step)?;
    let pending = PendingAuthenticationToken::new("unknown");
    let other = RadarEmailChallenge::from_parts(&client, pending, "radar_challenge_unknown".parse()?);
    let code = RadarCode::new(authkit.last_code(ADA).ok_or("nothing was sent")?);
    let rejected = rejection(other.verify(code).send().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidPendingAuthenticationToken));
    // The true step is still good, out of its parking place too.
    let parking = Parking::new(CookiePassword::new("0123456789abcdef0123456789abcdef")?);
    let step: RadarEmailChallenge<Confidential> = parking.resume_step(&client, &parked)?;
    drop(step.verify(RadarCode::new(authkit.last_code(ADA).ok_or("nothing was sent")?)).send().await?);

    let (authkit, client) = start(ada().radar(RadarDemand::SmsSignIn)).await?;
    let step = expect_step!(password(&client).await, RadarSmsCode);
    let code = RadarCode::new(authkit.last_code(ADA).ok_or("nothing was sent")?);
    drop(step.verify(code).send().await?);

    let (authkit, client) = start(ada().radar(RadarDemand::SmsSignUp)).await?;
    let step = expect_step!(password(&client).await, RadarSmsSignUp);
    let step = step.send_sms(PhoneNumber::new("+15005550006")?).send().await?;
    let code = RadarCode::new(authkit.last_code(ADA).ok_or("nothing was sent")?);
    drop(step.verify(code).send().await?);
    Ok(())
}

#[tokio::test]
async fn a_device_login_waits_for_its_user() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client();
    let login = client.device_authorization().send().await?;
    assert_eq!(login.user_code().len(), 9);
    assert_eq!((login.expires_in(), login.interval()), (Duration::from_secs(300), Duration::from_secs(5)));
    let address = login.verification_uri_complete().ok_or("no address")?.to_string();
    let Err(NotFinished::Pending(login)) = login.poll().await else { panic!("nobody has approved it") };
    Browser::new()?.approve_device(&address, ADA).await?;
    let response = login.wait().await?;
    assert_eq!(response.user.email, ADA);
    drop(client.authenticate_with_refresh_token(response.refresh_token).send().await?);

    let login = client.device_authorization().send().await?;
    let address = login.verification_uri_complete().ok_or("no address")?.to_string();
    Browser::new()?.deny_device(&address).await?;
    let rejected = rejection(login.wait().await);
    assert_eq!(rejected.error().code(), Some(&ErrorCode::AccessDenied));
    assert!(rejected.recover().is_err());

    // By its own clock the client can't know that the login is over.
    let client = authkit.public_client_builder().clock(clock()).build()?;
    let login = client.device_authorization().send().await?;
    authkit.advance(Duration::from_secs(301));
    let Err(NotFinished::NotSignedIn(outcome)) = login.poll().await else { panic!("it is over") };
    let rejected = rejection(Err(outcome));
    assert_eq!(rejected.error().code(), Some(&ErrorCode::ExpiredToken));
    assert!(rejected.recover().is_err());
    Ok(())
}
