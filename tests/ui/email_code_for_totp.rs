//! The code of an e-mail is given where one of an authenticator belongs.

use workos_auth::Confidential;
use workos_auth::secret::EmailVerificationCode;
use workos_auth::step::TotpChallenge;

fn misuse(challenge: TotpChallenge<Confidential>, code: EmailVerificationCode) {
    let _ = challenge.verify(code);
}

fn main() {}
