#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| workos_auth_fuzz::run("bearer", data));
