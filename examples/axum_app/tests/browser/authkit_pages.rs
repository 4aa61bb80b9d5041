//! AuthKit's pages, as a user fills them in. Only this file knows them.

use thirtyfour::By;

use crate::Outcome;
use crate::chromium::Browser;

impl Browser {
    /// Whether this is AuthKit's sign-in page.
    pub(crate) async fn is_asked_who_it_is(&self) -> Outcome {
        self.appears(By::Css("input[type=email][name=email]")).await.map(drop)
    }

    /// Fills in the sign-in page.
    pub(crate) async fn sign_in_as(&self, email: &str) -> Outcome {
        self.fill("E-mail", email).await?;
        self.press("Sign in").await
    }

    pub(crate) async fn cancel_sign_in(&self) -> Outcome {
        self.press("Cancel").await
    }
}
