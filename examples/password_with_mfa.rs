//! A login with a password and every step that a server usually needs: a loop that answers each step until the user is signed in.
//!
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process. With it and `WORKOS_API_KEY` it signs in to the real
//! service, and asks on the terminal.
//!
//! ```text
//! cargo run --example password_with_mfa
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Write};

use workos_auth::secret::EmailVerificationCode;
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{AuthenticationResponse, ConfidentialClient, ErrorCode, ExposeSecret, Password, Step, TotpCode};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

#[tokio::main]
async fn main() -> Result<()> {
    let response = if env::var_os("WORKOS_CLIENT_ID").is_some_and(|id| !id.is_empty()) {
        sign_in(&ConfidentialClient::from_env()?, &Person::AtTheTerminal).await?
    } else {
        println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process.\n");
        let ada =
            TestUser::new(EMAIL).password(PASSWORD).unverified().totp().organization("org_1").organization("org_2");
        let authkit = AuthKit::builder().user(ada).start().await?;
        let client = authkit.confidential_client();
        sign_in(&client, &Person::Simulated(&authkit)).await?
    };
    println!("Signed in  {} ({})", response.user.email, response.user.id);
    if let Some(id) = response.organization_id {
        println!("In         {id}");
    }
    Ok(())
}

async fn sign_in(client: &ConfidentialClient, person: &Person<'_>) -> Result<AuthenticationResponse> {
    let email = person.answer("E-mail")?.parse()?;
    let password = Password::new(person.answer("Password")?);
    let mut step = match client.authenticate_with_password(email, password).send().await {
        Ok(response) => return Ok(response),
        Err(not_yet) => not_yet.step()?,
    };
    loop {
        step = match step {
            Step::EmailVerification(step) => {
                let code = EmailVerificationCode::new(person.answer("Code of the e-mail")?);
                match step.verify(code).send().await {
                    Ok(response) => return Ok(response),
                    Err(not_yet) => not_yet.step()?,
                }
            }
            Step::MfaEnrollment(step) => {
                let enrollment = step.enroll_totp("workos-auth", EMAIL).send().await?;
                println!("Add this to your authenticator: {}", enrollment.uri.expose_secret());
                Step::TotpChallenge(enrollment.challenge)
            }
            Step::MfaChallenge(step) => {
                let factor = step.factors().first().ok_or("no second factor")?.id.clone();
                Step::TotpChallenge(step.challenge(&factor).send().await?)
            }
            Step::TotpChallenge(challenge) => {
                let code = TotpCode::new(person.answer("Code of the authenticator")?);
                match challenge.verify(code).send().await {
                    Ok(response) => return Ok(response),
                    // The challenge comes back, and takes another code.
                    Err(not_yet) if not_yet.error().code() == Some(&ErrorCode::InvalidOneTimeCode) => {
                        println!("That is not the code.");
                        Step::TotpChallenge(not_yet.recover()?)
                    }
                    Err(not_yet) => not_yet.step()?,
                }
            }
            Step::OrganizationSelection(step) => {
                for organization in step.organizations() {
                    println!("           {} is {}", organization.id, organization.name);
                }
                let id = person.answer("Organization")?.parse()?;
                match step.select(&id)?.send().await {
                    Ok(response) => return Ok(response),
                    Err(not_yet) => not_yet.step()?,
                }
            }
            // This application doesn't support the other steps: the error names the step.
            other => return Err(workos_auth::Error::from(other).into()),
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
