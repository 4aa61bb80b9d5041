//! A login with the steps that an application supports; each answer may lead to the next step.

use workos_auth::login::PasswordGrant;
use workos_auth::{AuthenticationResponse, Confidential, Error, NotSignedIn, Step, TotpCode};

async fn sign_in(grant: PasswordGrant<Confidential>) -> Result<AuthenticationResponse, Error> {
    let mut step = match grant.send().await {
        Ok(response) => return Ok(response),
        Err(not_yet) => not_yet.step()?,
    };
    loop {
        let challenge = match step {
            Step::MfaChallenge(mfa) => {
                let factor = mfa.factors()[0].id.clone();
                mfa.challenge(&factor).send().await?
            }
            Step::TotpChallenge(challenge) => challenge,
            not_supported => return Err(not_supported.into()),
        };
        match challenge.verify(ask_for_code()).send().await {
            Ok(response) => return Ok(response),
            Err(NotSignedIn::Step(next)) => step = next,
            // A wrong code gives the challenge back.
            Err(NotSignedIn::Rejected(rejected)) => step = Step::TotpChallenge(rejected.recover()?),
        }
    }
}

fn ask_for_code() -> TotpCode {
    TotpCode::new("123456")
}

fn main() {}
