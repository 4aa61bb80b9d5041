//! A whole sign-up on a server: a user is created and verified, signs in, enrols a second factor, signs in with it, and is
//! signed out everywhere.
//!
//! It always uses an AuthKit inside this process, since it creates users.
//!
//! ```text
//! cargo run --example sign_up_journey
//! ```

use std::error::Error;

use workos_auth::api::{CreateUser, SessionStatus, TotpSettings};
use workos_auth::secret::EmailVerificationCode;
use workos_auth::testing::AuthKit;
use workos_auth::{EmailAddress, NotSignedIn, Password, Step, TotpCode};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();

    let email = EmailAddress::new("grace@example.com")?;
    let new = CreateUser::new(email.clone()).first_name("Grace").password(Password::new(PASSWORD));
    let user = client.users().create(&new).send().await?.user;
    println!("Created    {} ({})", user.email, user.id);

    client.email_verification().send_email(&user.id).send().await?;
    // The code is in the user's mailbox; here, AuthKit knows it.
    let code = EmailVerificationCode::new(authkit.last_code(&user.email).ok_or("no e-mail was sent")?);
    let user = client.email_verification().confirm(&user.id, &code).send().await?;
    println!("Verified   {}", user.email_verified);

    let grant = client.authenticate_with_password(email.clone(), Password::new(PASSWORD));
    let response = grant.send().await?;
    println!("Signed in  with a password");

    let settings = TotpSettings::new().issuer("Example").user(&user.email);
    let enrollment = client.mfa().enroll_totp(&user.id, &settings).send().await?;
    println!("Enrolled   {} (the QR code is shown once)", enrollment.factor.kind);

    let grant = client.authenticate_with_password(email, Password::new(PASSWORD));
    let Err(NotSignedIn::Step(Step::MfaChallenge(step))) = grant.send().await else {
        return Err("no second factor was asked for".into());
    };
    let factor = step.factors().first().ok_or("no second factor")?.id.clone();
    let challenge = step.challenge(&factor).send().await?;
    let code = TotpCode::new(authkit.totp_code(&user.email).ok_or("no authenticator")?);
    let user = challenge.verify(code).send().await?.user;
    println!("Signed in  with a second factor ({})", user.email);

    let mut open = 0;
    for session in client.sessions().list(&user.id).send().await?.data {
        if session.status == SessionStatus::Active {
            client.sessions().revoke(&session.id).send().await?;
            open += 1;
        }
    }
    println!("Revoked    {open} sessions");

    let refused = client.authenticate_with_refresh_token(response.refresh_token).send().await;
    println!("Refused    {}", refused.err().ok_or("a revoked session was refreshed")?);
    Ok(())
}
