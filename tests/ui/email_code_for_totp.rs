// The code of an e-mail is given where one of an authenticator belongs.
use workos_auth::{Confidential, EmailVerificationCode, TotpChallenge};

fn misuse(challenge: TotpChallenge<Confidential>, code: EmailVerificationCode) {
    let _ = challenge.verify(code);
}

fn main() {}
