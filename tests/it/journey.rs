//! What an application does with its users, over HTTP on the in-process AuthKit.

use std::time::Duration;

use futures_util::TryStreamExt;
use workos_auth::api::{
    CreateInvitation, CreateUser, EnrollFactor, MembershipStatus, Roles, SessionStatus, TotpSettings,
};
use workos_auth::error::ParkedError;
use workos_auth::id::ConnectionId;
use workos_auth::parking::Parking;
use workos_auth::secret::{EmailVerificationCode, State};
use workos_auth::testing::{AuthKit, AuthKitBuilder, Browser, Endpoint, TestUser};
use workos_auth::{
    Callback, CookiePassword, EmailAddress, Error, ErrorCode, ErrorKind, ExposeSecret, OrganizationId, Password,
    RedirectUri, Step, TotpCode, UserId,
};

use crate::support::Outcome;
use crate::support::login::{next_step, rejection, state};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn from_sign_up_to_a_refused_refresh() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let email = EmailAddress::new("grace@example.com")?;
    let login = || client.authenticate_with_password(email.clone(), Password::new(PASSWORD));

    let new = CreateUser::new(email.clone()).first_name("Grace").password(Password::new(PASSWORD));
    let user = client.users().create(&new).send().await?.user;
    assert!(!user.email_verified && user.first_name.as_deref() == Some("Grace"));
    let step = next_step(login().send().await);
    assert!(matches!(step, Step::EmailVerification(_)), "an unverified address signs in");

    client.email_verification().send_email(&user.id).send().await?;
    let confirm = async |code: String| {
        let code = EmailVerificationCode::new(code);
        client.email_verification().confirm(&user.id, &code).send().await
    };
    assert_eq!(confirm("wrong".to_owned()).await.unwrap_err().code(), Some(&ErrorCode::InvalidOneTimeCode));
    let code = authkit.last_code(email.as_str()).ok_or("no e-mail")?;
    assert!(confirm(code.clone()).await?.email_verified);
    assert!(confirm(code).await.is_err(), "a code is good twice");

    let first = login().send().await?;
    assert_eq!(first.user.id, user.id);

    let settings = TotpSettings::new().issuer("Example").user(email.as_str());
    let enrollment = client.mfa().enroll_totp(&user.id, &settings).send().await?;
    let totp = enrollment.factor.totp.ok_or("no TOTP")?;
    assert!(totp.uri.expose_secret().starts_with("otpauth://totp/Example:") && totp.issuer == "Example");

    let Step::MfaChallenge(step) = next_step(login().send().await) else { panic!("no second factor was asked for") };
    assert_eq!(step.factors()[0].id, enrollment.factor.id);
    let challenge = step.challenge(&enrollment.factor.id).send().await?;
    let code = TotpCode::new(authkit.totp_code(email.as_str()).ok_or("no authenticator")?);
    let second = challenge.verify(code).send().await?;

    let sessions = client.sessions().list(&user.id).send().await?.data;
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session.status == SessionStatus::Active && session.user_id == user.id));
    let token = client.verifier().verify(&second.access_token).await?;
    assert_eq!(sessions.iter().filter(|session| session.id == *token.session_id()).count(), 1);
    for session in &sessions {
        client.sessions().revoke(&session.id).send().await?;
    }
    let ended = client.sessions().list(&user.id).send().await?.data;
    assert!(ended.iter().all(|session| session.status == SessionStatus::Revoked && session.ended_at.is_some()));
    for token in [first.refresh_token, second.refresh_token] {
        let rejected = rejection(client.authenticate_with_refresh_token(token).send().await);
        assert_eq!(rejected.error().code(), Some(&ErrorCode::InvalidGrant));
        assert!(rejected.recover().is_err(), "a dead token came back");
    }
    Ok(())
}

#[tokio::test]
async fn the_api_needs_the_key_and_known_ids() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let unknown = UserId::new("user_unknown")?;
    let error = client.users().get(&unknown).send().await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    let wrong = client.with_api_key(workos_auth::secret::ApiKey::new("sk_wrong")?);
    let error = wrong.users().get(&unknown).send().await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert_eq!(wrong.users().list().send().await.unwrap_err().status().map(|status| status.as_u16()), Some(401));
    Ok(())
}

#[tokio::test]
async fn lists_go_page_by_page_in_either_direction() -> Outcome {
    let users = (0..25).map(|number| TestUser::new(format!("user{number:02}@example.com")));
    let authkit = users.fold(AuthKit::builder(), AuthKitBuilder::user).start().await?;
    let client = authkit.confidential_client();
    let newest: Vec<String> = (0..25).rev().map(|number| format!("user{number:02}@example.com")).collect();
    let all: Vec<String> = client.users().list().limit(10).stream().map_ok(|user| user.email).try_collect().await?;
    assert_eq!(all, newest);
    assert_eq!(authkit.requests_to(Endpoint::Users), 3);

    let first = client.users().list().limit(10).send().await?;
    let second = first.next().await?.ok_or("no second page")?;
    assert!(first.before.is_none() && second.before.is_some());
    let back = client.users().list().limit(10).before(second.before.ok_or("no cursor")?).send().await?;
    let ids = |page: &[workos_auth::User]| page.iter().map(|user| user.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&back.data), ids(&first.data));
    Ok(())
}

#[tokio::test]
async fn an_invitation_and_a_membership_change_what_tokens_say() -> Outcome {
    let authkit = AuthKit::builder().user(TestUser::new("ada@example.com").password(PASSWORD)).start().await?;
    let client = authkit.confidential_client();
    let (email, organization) = (EmailAddress::new("ada@example.com")?, OrganizationId::new("org_1")?);
    let login = async || -> Result<_, Error> {
        let grant = client.authenticate_with_password(email.clone(), Password::new(PASSWORD));
        let response = grant.send().await?;
        Ok(client.verifier().verify(&response.access_token).await?)
    };
    assert_eq!(login().await?.organization_id(), None);

    let invitation = CreateInvitation::new(email.clone()).organization_id(organization.clone()).role_slug("admin");
    let sent = client.invitations().create(&invitation.expires_in_days(1)).send().await?;
    client.invitations().accept(&sent.id).send().await?;
    let token = login().await?;
    assert_eq!(token.organization_id(), Some(&organization));
    assert!(token.in_organization(&organization)?.has_role("admin"));

    let memberships = client.organization_memberships();
    let list = || memberships.list().organization(&organization);
    let membership = list().send().await?.data.pop().ok_or("no membership")?;
    memberships.update(&membership.id, &Roles::One("viewer".to_owned())).send().await?;
    assert!(login().await?.in_organization(&organization)?.has_role("viewer"));
    memberships.deactivate(&membership.id).send().await?;
    assert_eq!(login().await?.organization_id(), None);
    assert_eq!(list().send().await?.data.len(), 0);
    assert_eq!(list().statuses([MembershipStatus::Inactive]).send().await?.data.len(), 1);

    let sent = client.invitations().create(&CreateInvitation::new(email.clone()).expires_in_days(1)).send().await?;
    authkit.advance(Duration::from_secs(86401));
    assert!(client.invitations().accept(&sent.id).send().await.is_err(), "an expired invitation was accepted");
    Ok(())
}

#[tokio::test]
async fn sso_gives_a_profile_and_no_session() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let redirect = RedirectUri::new("http://127.0.0.1:8080/sso")?;
    let begin = || client.authorize_sso(redirect.clone(), ConnectionId::new("conn_1")?).begin();
    let browser = Browser::new()?;

    // As a server does it: parked while the browser is away.
    let parking = Parking::new(CookiePassword::generate()?);
    let session = begin()?;
    let callback_url = browser.sign_in(session.url().as_str(), "ada@example.com").await?;
    let sealed = parking.park(session)?;
    let error = parking.resume_login(&client, &redirect, &sealed).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Parked(ParkedError::WrongKind)), "{error:?}");
    let session = parking.resume_sso_login(&client, &redirect, &sealed)?;
    let login = session.exchange(Callback::from_url(&callback_url)?)?.send().await?;
    assert_eq!(login.profile.email.as_unverified_str(), "ada@example.com");
    let profile = client.with_access_token(&login.access_token).profile().send().await?;
    assert_eq!(profile, login.profile);

    // The API key isn't a user's token, and the code is good only at its own endpoint.
    let key = workos_auth::secret::SsoAccessToken::new(authkit.api_key());
    assert!(client.with_access_token(&key).profile().send().await.is_err());
    let session = client.authorize(redirect.clone()).authkit().begin()?;
    let url = browser.sign_in(session.url().as_str(), "ada@example.com").await?;
    let code = Callback::from_url(&url)?.code_for(&State::new(state(session.url())))?;
    let exchange = client.exchange_sso_code(code);
    assert_eq!(exchange.send().await.unwrap_err().error().code(), Some(&ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_factor_of_the_application_is_answered_once() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let mfa = client.mfa();
    let factor = mfa.enroll(&EnrollFactor::sms(workos_auth::id::PhoneNumber::new("+15005550006")?)).send().await?;
    let challenge = mfa.challenge(&factor.id, None).send().await?;
    let code = challenge.code.ok_or("no code")?;
    let wrong = mfa.verify(&challenge.id, &TotpCode::new("wrong")).send().await.unwrap_err();
    assert!(matches!(wrong.kind(), ErrorKind::WrongCode), "{wrong:?}");
    assert_eq!(mfa.verify(&challenge.id, &code).send().await?.challenge.id, challenge.id);
    assert!(mfa.verify(&challenge.id, &code).send().await.is_err());
    Ok(())
}
