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

    /// Fills in the page that asks for the code of a second factor.
    pub(crate) async fn enter_code(&self, code: &str) -> Outcome {
        self.sees("Second factor").await?;
        self.fill("Code", code).await?;
        self.press("Continue").await
    }

    pub(crate) async fn is_told_that_the_code_is_wrong(&self) -> Outcome {
        self.appears(By::XPath("//*[@role='alert'][contains(., 'wrong')]".to_owned())).await.map(drop)
    }

    pub(crate) async fn cancel_sign_in(&self) -> Outcome {
        self.press("Cancel").await
    }
}
