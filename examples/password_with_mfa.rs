//! A login with a password that meets every step a server usually has to deal with: a match over the outcome, until it
//! is complete.
//!
//! Without `WORKOS_CLIENT_ID` it runs by itself on an AuthKit inside this process; with it and `WORKOS_API_KEY`, on the
//! real service, and asks on the terminal.
//!
//! ```text
//! cargo run --example password_with_mfa
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Write};

use workos_auth::secret::EmailVerificationCode;
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{
    Authentication, Client, Confidential, ConfidentialClient, ErrorCode, ExposeSecret, Password, TotpCode,
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

#[tokio::main]
async fn main() -> Result<()> {
    if env::var_os("WORKOS_CLIENT_ID").is_some_and(|id| !id.is_empty()) {
        return sign_in(&ConfidentialClient::from_env()?, &Person::AtTheTerminal).await;
    }
    println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process.\n");
    let ada = TestUser::new(EMAIL).password(PASSWORD).unverified().totp().organization("org_1").organization("org_2");
    let authkit = AuthKit::builder().user(ada).start().await?;
    let client = Client::builder()
        .client_id(authkit.client_id())
        .api_key(authkit.api_key())
        .base_url(authkit.base_url())
        .build()?;
    sign_in(&client, &Person::Simulated(&authkit)).await
}

async fn sign_in(client: &ConfidentialClient, person: &Person<'_>) -> Result<()> {
    let email = person.answer("E-mail")?.parse()?;
    let password = Password::new(person.answer("Password")?);
    let mut outcome: Authentication<Confidential> = client.authenticate_with_password(email, password).send().await?;
    loop {
        outcome = match outcome {
            Authentication::Complete(response) => {
                println!("Signed in  {} ({})", response.user.email, response.user.id);
                if let Some(id) = response.organization_id {
                    println!("In         {id}");
                }
                return Ok(());
            }
            Authentication::EmailVerification(step) => {
                let code = person.answer("Code of the e-mail")?;
                step.verify(EmailVerificationCode::new(code)).send().await?
            }
            Authentication::MfaEnrollment(step) => {
                let enrollment = step.enroll_totp("workos-auth", EMAIL).send().await?;
                println!("Add this to your authenticator: {}", enrollment.uri.expose_secret());
                let code = person.answer("Code of the authenticator")?;
                enrollment.challenge.verify(TotpCode::new(code)).send().await?
            }
            Authentication::MfaChallenge(step) => {
                let factor = step.factors().first().ok_or("no second factor")?.id.clone();
                Authentication::TotpChallenge(step.challenge(&factor).send().await?)
            }
            Authentication::TotpChallenge(challenge) => {
                let code = person.answer("Code of the authenticator")?;
                match challenge.verify(TotpCode::new(code)).send().await {
                    // The challenge comes back, and takes another code.
                    Err(rejected) if rejected.error().code() == Some(&ErrorCode::InvalidOneTimeCode) => {
                        println!("That is not the code.");
                        Authentication::TotpChallenge(rejected.recover()?)
                    }
                    outcome => outcome?,
                }
            }
            Authentication::OrganizationSelection(step) => {
                for organization in step.organizations() {
                    println!("           {} is {}", organization.id, organization.name);
                }
                let id = person.answer("Organization")?.parse()?;
                step.select(&id)?.send().await?
            }
            // What this application doesn't support ends with an error that names the step.
            other => return Ok(other.complete().map(drop)?),
        };
    }
}

/// Who answers the questions.
enum Person<'a> {
    AtTheTerminal,
    Simulated(&'a AuthKit),
}

impl Person<'_> {
    fn answer(&self, question: &str) -> Result<String> {
        let Self::Simulated(authkit) = self else {
            print!("{question}: ");
            io::stdout().flush()?;
            return Ok(io::stdin().lines().next().ok_or("no answer")??.trim().to_owned());
        };
        let (answer, shown) = match question {
            "E-mail" => (Some(EMAIL.to_owned()), true),
            "Password" => (Some(PASSWORD.to_owned()), false),
            "Code of the e-mail" => (authkit.last_code(EMAIL), true),
            "Code of the authenticator" => (authkit.totp_code(EMAIL), true),
            "Organization" => (Some("org_2".to_owned()), true),
            _ => (None, false),
        };
        let answer = answer.ok_or("the simulated person has no answer")?;
        println!("{question}: {}", if shown { &answer } else { "(typed)" });
        Ok(answer)
    }
}
