//! How often a check of a session asks the allocator. Not in `session.rs`: counting takes time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use workos_auth::AccessToken;
use workos_auth_bench::{Outcome, PASSWORD, Setup};

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    count_allocations(&setup);
    Ok(())
}

fn count_allocations(setup: &Setup) {
    let token = AccessToken::new(&*setup.token);
    let count = |name: &str, run: &dyn Fn()| {
        run();
        let info = allocation_counter::measure(run);
        println!("allocations, {name}: {} ({} bytes)", info.count_total, info.bytes_total);
    };
    count("(a) workos-auth", &|| drop(ready(setup.verifier.verify(&token))));
    count("(b) workos-auth", &|| drop(ready(setup.check(&setup.verifier))));
    count("(c) workos-auth", &|| drop(ready(setup.check(&setup.remembering))));
    count("(b) workos 3.5.0", &|| {
        drop(ready(setup.official.session(&*setup.official_sealed, PASSWORD).authenticate()));
    });
}

/// The value of a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
