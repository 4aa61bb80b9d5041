//! A refresh consumes the session: its token is good once.

async fn run(session: workos_auth::Session<workos_auth::Public>) -> Result<(), workos_auth::Error> {
    let _refreshed = session.refresh().await?;
    println!("{}", session.user().email);
    Ok(())
}

fn main() {}
